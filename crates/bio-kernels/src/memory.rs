//! What the system and the processor are told about memory before its turn.

/// Asks for huge pages under a vector's room, before it is written: reading weights through pages of 4 KiB reaches about two thirds of the
/// memory's bandwidth on a Zen 3 (see NOTES.md). A refusal costs only speed.
pub(crate) fn prefer_huge_pages<T>(buffer: &mut Vec<T>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const PAGE: usize = 4096;
        const MADV_HUGEPAGE: i32 = 14;
        unsafe extern "C" {
            fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
        }
        let start = buffer.as_mut_ptr() as usize;
        let end = start + buffer.capacity() * size_of::<T>();
        let (first, end) = (start.next_multiple_of(PAGE), end & !(PAGE - 1));
        // SAFETY: whole pages inside an allocation of our own; the advice changes no contents.
        unsafe { madvise(first as *mut u8, end.saturating_sub(first), MADV_HUGEPAGE) };
    }
    let _ = buffer;
}

/// Asks the second-level cache for what will be read after more than the first one holds.
#[inline(always)]
pub(crate) fn prefetch_to_second_level<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch reads nothing and faults on no address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Asks the first-level cache for what will be read soon.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch reads nothing and faults on no address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
