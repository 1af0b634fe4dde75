//! The way from JavaScript to a kernel. Arguments are read by Node-API's own functions, of which each array takes two, a number one: nothing
//! is allocated or locked on the way, and the call costs what those functions cost.
//!
//! A kernel is a Rust function that names its arguments' types (`arguments.rs`); `exports!` makes it one of JavaScript. Its arrays are
//! this thread's own, within their buffers, and what it writes overlaps nothing: `arrays.rs` refuses the rest. That a `Float32Array` is
//! one was checked in JavaScript: to ask Node-API for the type of an array takes longer than all else.

mod answers;
mod arguments;
mod arrays;
mod errors;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bio_kernels::error::{KernelError, Result};
use napi::sys;

pub use answers::Answer;
use arguments::Argument;
pub use arguments::{OrOut, Out, Pages, PagesOut, Unread, Word};
pub use errors::unknown;

use arrays::Element;

/// A call's arguments as Node-API hands them over, and the arrays found among them so far.
pub struct Call<const COUNT: usize> {
    operation: &'static str,
    env: sys::napi_env,
    values: [sys::napi_value; COUNT],
    /// How many were given: what is left out is not there, and nothing is asked about it.
    given: usize,
    arrays: [arrays::Memory; COUNT],
}

impl<const COUNT: usize> Call<COUNT> {
    /// # Safety
    /// `info` is of a call of this thread that has not returned.
    unsafe fn of(operation: &'static str, env: sys::napi_env, info: sys::napi_callback_info) -> Self {
        let (mut count, mut values) = (COUNT, [std::ptr::null_mut(); COUNT]);
        let (this, data) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: `values` has room for `count`; Node-API fills what is not given with `undefined`. It fails for no call that is running.
        unsafe { sys::napi_get_cb_info(env, info, &raw mut count, values.as_mut_ptr(), this, data) };
        Self { operation, env, values, given: count, arrays: [arrays::Memory::NONE; COUNT] }
    }

    pub fn env(&self) -> sys::napi_env {
        self.env
    }

    pub fn value(&self, index: usize) -> sys::napi_value {
        self.values[index]
    }
}

/// What JavaScript can call: a function of arguments that can be read, with an answer that can be given.
pub trait Kernel<Arguments> {
    /// # Safety
    /// `info` is of a call of this thread that has not returned, and its arrays have the types that `Arguments` says.
    unsafe fn call(
        self,
        operation: &'static str,
        env: sys::napi_env,
        info: sys::napi_callback_info,
    ) -> Result<sys::napi_value>;
}

macro_rules! kernel_of {
    ($count:literal: $($argument:ident $index:literal),*) => {
        impl<Function, Given, $($argument,)*> Kernel<($($argument,)*)> for Function
        where
            Function: FnOnce($($argument),*) -> Result<Given>,
            Given: Answer,
            $($argument: Argument,)*
        {
            #[inline]
            #[allow(non_snake_case)]
            unsafe fn call(
                self,
                operation: &'static str,
                env: sys::napi_env,
                info: sys::napi_callback_info,
            ) -> Result<sys::napi_value> {
                // SAFETY: the call has not returned, as this function asks; its arguments live as long as it does.
                unsafe {
                    let mut call = Call::<$count>::of(operation, env, info);
                    $(let $argument = $argument::of(&mut call, $index)?;)*
                    self($($argument),*)?.give(env)
                }
            }
        }
    };
}

kernel_of!(1: A 0);
kernel_of!(2: A 0, B 1);
kernel_of!(3: A 0, B 1, C 2);
kernel_of!(4: A 0, B 1, C 2, D 3);
kernel_of!(5: A 0, B 1, C 2, D 3, E 4);
kernel_of!(6: A 0, B 1, C 2, D 3, E 4, F 5);
kernel_of!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
kernel_of!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
kernel_of!(9: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
kernel_of!(10: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
kernel_of!(11: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
kernel_of!(12: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
kernel_of!(13: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
kernel_of!(14: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
kernel_of!(16: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);

/// Runs a kernel: its answer, or `undefined` after an exception. A refusal keeps its code, a panic becomes `ERR_BIO_INTERNAL`.
///
/// # Safety
/// As of `Kernel::call`.
pub unsafe fn invoke<Arguments>(
    operation: &'static str,
    env: sys::napi_env,
    info: sys::napi_callback_info,
    kernel: impl Kernel<Arguments>,
) -> sys::napi_value {
    // SAFETY: as this function asks.
    let body = || unsafe { kernel.call(operation, env, info) };
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(errors::internal(operation, &*panic)))
        .unwrap_or_else(|error: KernelError| {
            errors::throw(env, &error);
            std::ptr::null_mut()
        })
}

/// Defines functions of the addon: `exports!(env, exports, { matmulPacked: matmul_packed, … })`.
macro_rules! exports {
    ($env:expr, $exports:expr, { $($name:ident: $kernel:path),* $(,)? }) => {{
        $({
            unsafe extern "C" fn callback(
                env: napi::sys::napi_env,
                info: napi::sys::napi_callback_info,
            ) -> napi::sys::napi_value {
                // SAFETY: Node-API calls back within a call of this thread; JavaScript has checked the types of its arrays.
                unsafe { $crate::call::invoke(stringify!($name), env, info, $kernel) }
            }
            $crate::call::define($env, $exports, concat!(stringify!($name), "\0"), callback);
        })*
    }};
}
pub(crate) use exports;

/// Makes `callback` the function `name`, which ends with a zero, of the addon's `exports`.
pub fn define(
    env: sys::napi_env,
    exports: sys::napi_value,
    name: &'static str,
    callback: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
) {
    let (mut function, name) = (std::ptr::null_mut(), name.as_ptr().cast());
    // SAFETY: `name` ends with a zero, and `exports` is the object of the addon that is being loaded.
    unsafe {
        sys::napi_create_function(env, name, -1, Some(callback), std::ptr::null_mut(), &raw mut function);
        sys::napi_set_named_property(env, exports, name, function);
    }
}
