//! How Rust's refusals and panics reach JavaScript.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bio_kernels::error::KernelError;

/// The `code` of a JavaScript error.
pub struct Code(&'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

pub type Result<T> = napi::Result<T, Code>;

/// Runs a kernel: a refusal keeps its code, a panic becomes `ERR_BIO_INTERNAL`.
pub fn guard<T>(body: impl FnOnce() -> std::result::Result<T, KernelError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(napi::Error::new(Code(error.code), error.to_string())),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            let text =
                format!("a kernel failed: {}. Please report it.", message.unwrap_or("without a message"));
            Err(napi::Error::new(Code("ERR_BIO_INTERNAL"), text))
        }
    }
}

/// `ERR_BIO_VALUE` for a word that means nothing.
pub fn unknown(operation: &'static str, expected: &str, received: &str) -> KernelError {
    KernelError { code: "ERR_BIO_VALUE", operation, expected: expected.into(), received: received.into() }
}

/// A typed array that a kernel writes: borrowed for the call, alone by the checks in JavaScript.
pub type Out<'a, T = f32> = &'a mut [T];
