//! Typed arrays of a call: their memory, and that it is this thread's and no other argument's.

use bio_kernels::error::{KernelError, Result};
use napi::sys;

use super::Call;

/// What a typed array may hold: any bits are a value of it.
pub trait Element: 'static {}
impl Element for f32 {}
impl Element for i32 {}
impl Element for u16 {}
impl Element for i8 {}
impl Element for u8 {}

/// The memory of an array argument, in addresses.
#[derive(Clone, Copy)]
pub struct Memory {
    start: usize,
    end: usize,
    written: bool,
}

impl Memory {
    pub const NONE: Self = Self { start: 0, end: 0, written: false };

    fn disturbs(&self, other: &Self) -> bool {
        (self.written || other.written) && self.start < other.end && other.start < self.end
    }

    /// Whether both are the very same bytes.
    fn is(&self, other: &Self) -> bool {
        self.start == other.start && self.end == other.end
    }
}

/// An array of a call, not yet borrowed.
pub struct Found<T> {
    data: *mut T,
    length: usize,
}

impl<T> Found<T> {
    /// # Safety
    /// The call that the array is an argument of has not returned when the borrow ends, and nobody writes to the array meanwhile.
    pub unsafe fn read<'a>(self) -> &'a [T] {
        if self.length == 0 {
            return &[]; // It may have no memory.
        }
        // SAFETY: `memory` found so many aligned elements in the buffer, which the call's argument keeps.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }

    /// # Safety
    /// As of `read`, and nobody reads it meanwhile either.
    pub unsafe fn write<'a>(self) -> &'a mut [T] {
        if self.length == 0 {
            return &mut [];
        }
        // SAFETY: as of `read`.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.length) }
    }
}

impl<const COUNT: usize> Call<COUNT> {
    /// The array at `index`, apart from those before it if one of both is written; `None` where there is no array.
    pub fn array<T: Element>(&mut self, index: usize, written: bool) -> Result<Option<Found<T>>> {
        let Some((found, memory)) = self.memory(index, written)? else { return Ok(None) };
        if self.arrays[..index].iter().any(|other| memory.disturbs(other)) {
            return Err(self.overlap());
        }
        self.arrays[index] = memory;
        Ok(Some(found))
    }

    /// The array at `index`, which may be the first argument itself: `None` then.
    pub fn array_or_first<T: Element>(&mut self, index: usize) -> Result<Option<Found<T>>> {
        let Some((found, memory)) = self.memory(index, false)? else { return Err(self.no_array()) };
        if memory.is(&self.arrays[0]) {
            return Ok(None);
        }
        if self.arrays[..index].iter().any(|other| memory.disturbs(other)) {
            return Err(self.overlap());
        }
        self.arrays[index] = memory;
        Ok(Some(found))
    }

    /// An argument that has to be an array.
    pub fn demand<T: Element>(&mut self, index: usize, written: bool) -> Result<Found<T>> {
        self.array(index, written)?.ok_or_else(|| self.no_array())
    }

    fn memory<T: Element>(&self, index: usize, written: bool) -> Result<Option<(Found<T>, Memory)>> {
        if index >= self.given {
            return Ok(None);
        }
        let (env, value, kind) = (self.env, self.values[index], std::ptr::null_mut());
        let (mut length, mut data, mut offset) = (0, std::ptr::null_mut(), 0);
        let (mut buffer, mut bytes, start) = (std::ptr::null_mut(), 0, std::ptr::null_mut());
        // SAFETY: `value` is an argument of the running call; Node-API refuses what is no typed array, and fills what is asked for.
        let status = unsafe {
            let (length, data, buffer) = (&raw mut length, &raw mut data, &raw mut buffer);
            sys::napi_get_typedarray_info(env, value, kind, length, data, buffer, &raw mut offset)
        };
        if status != sys::Status::napi_ok {
            return Ok(None);
        }
        let mut is_own = false;
        // SAFETY: `buffer` is a value of the running call. A SharedArrayBuffer is no ArrayBuffer; Node-API from Node 24.9 on tells its bytes all the same.
        let told = unsafe {
            sys::napi_is_arraybuffer(env, buffer, &raw mut is_own);
            sys::napi_get_arraybuffer_info(env, buffer, start, &raw mut bytes)
        };
        if !is_own || told != sys::Status::napi_ok {
            return Err(self.shared());
        }
        let (start, size) = (data as usize, length * size_of::<T>());
        if offset + size > bytes || !start.is_multiple_of(align_of::<T>()) {
            return Err(self.no_array());
        }
        // An empty array disturbs nobody, wherever it lies.
        let memory = if size == 0 { Memory::NONE } else { Memory { start, end: start + size, written } };
        Ok(Some((Found { data: data.cast(), length }, memory)))
    }

    /// Which of the typed arrays it is, or -1.
    pub fn element_type(&self, index: usize) -> sys::napi_typedarray_type {
        let (mut kind, length, data) = (-1, std::ptr::null_mut(), std::ptr::null_mut());
        let (buffer, offset) = (std::ptr::null_mut(), std::ptr::null_mut());
        let (env, value) = (self.env, self.values[index]);
        // SAFETY: as of `memory`.
        unsafe { sys::napi_get_typedarray_info(env, value, &raw mut kind, length, data, buffer, offset) };
        kind
    }

    #[cold]
    fn shared(&self) -> KernelError {
        let received = "a SharedArrayBuffer: copy it first, for another thread may write to it";
        self.refusal("ERR_BIO_BUFFER", "arrays over an ArrayBuffer", received)
    }

    #[cold]
    fn overlap(&self) -> KernelError {
        let (expected, received) = ("an output with memory of its own", "one that overlaps another argument");
        self.refusal("ERR_BIO_OVERLAP", expected, received)
    }

    #[cold]
    fn no_array(&self) -> KernelError {
        self.refusal("ERR_BIO_SHAPE", "a typed array of the kernel's type", "another value")
    }

    #[cold]
    pub fn refusal(&self, code: &'static str, expected: &str, received: &str) -> KernelError {
        KernelError { code, operation: self.operation, expected: expected.into(), received: received.into() }
    }
}
