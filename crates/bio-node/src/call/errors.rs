//! How Rust's refusals and panics reach JavaScript: as errors that `isBioError` of `@bio/errors` knows.

use std::any::Any;
use std::ffi::CStr;
use std::ptr::null_mut;

use bio_kernels::error::KernelError;
use napi::sys;

/// `ERR_BIO_INTERNAL` with what a panic said.
pub fn internal(operation: &'static str, panic: &(dyn Any + Send)) -> KernelError {
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    KernelError {
        code: "ERR_BIO_INTERNAL",
        operation,
        expected: "an answer".into(),
        received: format!("a panic: {}. Please report it", message.unwrap_or("without a message")),
    }
}

/// `ERR_BIO_VALUE` for a word that means nothing.
pub fn unknown(operation: &'static str, expected: &str, received: &str) -> KernelError {
    KernelError { code: "ERR_BIO_VALUE", operation, expected: expected.into(), received: received.into() }
}

/// Throws the error when the running call returns.
pub fn throw(env: sys::napi_env, error: &KernelError) {
    let (mut brand, mut yes, mut thrown) = (null_mut(), null_mut(), null_mut());
    let name = "@bio/errors/BioError";
    // SAFETY: names end with zeros or come with their lengths; values are of the running call; `fields` outlives the call that reads it.
    unsafe {
        sys::node_api_symbol_for(env, name.as_ptr().cast(), name.len() as isize, &raw mut brand);
        sys::napi_get_boolean(env, true, &raw mut yes);
        sys::napi_create_error(env, text(env, error.code), text(env, &error.to_string()), &raw mut thrown);
        let fields = [
            field(c"name", null_mut(), text(env, "BioError")),
            field(c"operation", null_mut(), text(env, error.operation)),
            field(c"expected", null_mut(), text(env, &error.expected)),
            field(c"received", null_mut(), text(env, &error.received)),
            field(c"", brand, yes),
        ];
        sys::napi_define_properties(env, thrown, fields.len(), fields.as_ptr());
        sys::napi_throw(env, thrown);
    }
}

fn text(env: sys::napi_env, text: &str) -> sys::napi_value {
    let mut value = null_mut();
    // SAFETY: the environment of the running call, a text with its length, and where to write the value.
    unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &raw mut value) };
    value
}

/// A property by its name, or by `symbol` where there is one.
fn field(name: &CStr, symbol: sys::napi_value, value: sys::napi_value) -> sys::napi_property_descriptor {
    sys::napi_property_descriptor {
        utf8name: if symbol.is_null() { name.as_ptr() } else { std::ptr::null() },
        name: symbol,
        method: None,
        getter: None,
        setter: None,
        value,
        attributes: sys::PropertyAttributes::default,
        data: null_mut(),
    }
}
