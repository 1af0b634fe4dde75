//! What a kernel may ask for, and how it is read.

use bio_kernels::error::Result;
use napi::sys;

use super::{Call, Element};
use crate::held::Held;

/// A typed array that a kernel writes.
pub type Out<'a, T = f32> = &'a mut [T];

/// An input that may be the first output itself: `None` then, and the kernel works in place.
pub struct OrOut<'a>(pub Option<&'a [f32]>);

/// Pages of f32, bf16 or int8: the array's type is the number format.
pub enum Pages<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u16]),
    Int8(&'a [i8]),
}

pub enum PagesOut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [u16]),
    Int8(&'a mut [i8]),
}

/// The name of a format or of an activation. A longer text is cut, and then no name that anybody knows.
pub struct Word {
    bytes: [u8; 24],
    length: usize,
}

impl Word {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// An argument that is left alone.
pub struct Unread;

/// An argument of a kernel.
pub trait Argument: Sized {
    /// # Safety
    /// What is given is used while the call lasts, and an array has the type that is asked for.
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self>;
}

impl Argument for Unread {
    unsafe fn of<const COUNT: usize>(_: &mut Call<COUNT>, _: usize) -> Result<Self> {
        Ok(Self)
    }
}

impl<T: Element> Argument for &[T] {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: the caller keeps to the call, which has no writer of these bytes.
        Ok(unsafe { call.demand(index, false)?.read() })
    }
}

impl<T: Element> Argument for &mut [T] {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: the caller keeps to the call, which has no other reader or writer of these bytes.
        Ok(unsafe { call.demand(index, true)?.write() })
    }
}

impl<T: Element> Argument for Option<&[T]> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&[T]`.
        Ok(call.array(index, false)?.map(|found| unsafe { found.read() }))
    }
}

impl<T: Element> Argument for Option<&mut [T]> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&mut [T]`.
        Ok(call.array(index, true)?.map(|found| unsafe { found.write() }))
    }
}

impl Argument for OrOut<'_> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&[T]`; where it is the output itself nothing is borrowed.
        Ok(Self(call.array_or_first(index)?.map(|found| unsafe { found.read() })))
    }
}

impl Argument for Pages<'_> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&[T]`, and the type is the array's own.
        unsafe {
            Ok(match call.element_type(index) {
                sys::TypedarrayType::uint16_array => Self::Bf16(<&[u16]>::of(call, index)?),
                sys::TypedarrayType::int8_array => Self::Int8(<&[i8]>::of(call, index)?),
                _ => Self::F32(<&[f32]>::of(call, index)?),
            })
        }
    }
}

impl Argument for PagesOut<'_> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&mut [T]`, and the type is the array's own.
        unsafe {
            Ok(match call.element_type(index) {
                sys::TypedarrayType::uint16_array => Self::Bf16(<&mut [u16]>::of(call, index)?),
                sys::TypedarrayType::int8_array => Self::Int8(<&mut [i8]>::of(call, index)?),
                _ => Self::F32(<&mut [f32]>::of(call, index)?),
            })
        }
    }
}

impl<T: 'static> Argument for &Held<T> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: nobody else borrows it in this call: no kernel takes two.
        Ok(unsafe { &*Held::<T>::find(call, index)? })
    }
}

impl<T: 'static> Argument for &mut Held<T> {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        // SAFETY: as of `&Held<T>`.
        Ok(unsafe { &mut *Held::<T>::find(call, index)? })
    }
}

impl Argument for Word {
    unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
        let (mut bytes, mut length) = ([0; 24], 0);
        let (text, room) = (bytes.as_mut_ptr().cast(), bytes.len());
        // SAFETY: Node-API writes at most `room` bytes, and none where the value is no string.
        unsafe { sys::napi_get_value_string_utf8(call.env, call.values[index], text, room, &raw mut length) };
        Ok(Self { bytes, length })
    }
}

/// Numbers and flags, each by Node-API's function for it: one of another type is 0, which JavaScript has refused before.
macro_rules! read_by {
    ($($kind:ty: $function:ident),*) => {$(
        impl Argument for $kind {
            unsafe fn of<const COUNT: usize>(call: &mut Call<COUNT>, index: usize) -> Result<Self> {
                let mut value = Self::default();
                // SAFETY: a value of the running call, and where to write it.
                unsafe { sys::$function(call.env, call.values[index], &raw mut value) };
                Ok(value)
            }
        }
    )*};
}
read_by!(u32: napi_get_value_uint32, i32: napi_get_value_int32, f64: napi_get_value_double, bool: napi_get_value_bool);
