//! Weights on this side, counted to the JavaScript heap so that its collector knows their weight.

use bio_kernels::error::KernelError;
use napi::Env;

/// What a class of JavaScript holds until it is disposed or collected.
pub struct Held<T> {
    inner: Option<T>,
    bytes: usize,
}

impl<T> Held<T> {
    pub fn new(env: Env, inner: T, bytes: usize) -> Self {
        count(env, bytes as i64);
        Self { inner: Some(inner), bytes }
    }

    pub fn bytes(&self) -> f64 {
        self.bytes as f64
    }

    pub fn dispose(&mut self, env: Env) {
        if self.inner.take().is_some() {
            count(env, -(self.bytes as i64));
        }
    }

    pub fn get(&self, operation: &'static str) -> Result<&T, KernelError> {
        self.inner.as_ref().ok_or_else(|| disposed(operation))
    }

    pub fn get_mut(&mut self, operation: &'static str) -> Result<&mut T, KernelError> {
        self.inner.as_mut().ok_or_else(|| disposed(operation))
    }
}

fn count(env: Env, bytes: i64) {
    // Only the collector's estimate depends on it.
    let _ = env.adjust_external_memory(bytes);
}

fn disposed(operation: &'static str) -> KernelError {
    KernelError {
        code: "ERR_BIO_DISPOSED",
        operation,
        expected: "a packed matrix in use".into(),
        received: "one that was disposed".into(),
    }
}
