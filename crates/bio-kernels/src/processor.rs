//! Which processor a thread runs on, and how it leaves one that it should not share.

/// The processor that this thread runs on, where the system says it.
pub(crate) fn current() -> Option<usize> {
    system::current()
}

/// Moves this thread elsewhere if it runs on `processor`. Where it may run stays as it was, and the system may move it back.
pub(crate) fn leave(processor: usize) {
    if current() == Some(processor) {
        system::exclude_for_a_moment(processor);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    const WORDS: usize = 16;
    /// One bit for each of 1024 processors; on a larger machine the system refuses, and nothing moves.
    type Mask = [u64; WORDS];

    unsafe extern "C" {
        fn sched_getcpu() -> i32;
        fn sched_getaffinity(thread: i32, bytes: usize, mask: *mut Mask) -> i32;
        fn sched_setaffinity(thread: i32, bytes: usize, mask: *const Mask) -> i32;
    }

    pub fn current() -> Option<usize> {
        // SAFETY: takes nothing, answers a number.
        usize::try_from(unsafe { sched_getcpu() }).ok()
    }

    pub fn exclude_for_a_moment(processor: usize) {
        let (this_thread, bytes, mut allowed) = (0, size_of::<Mask>(), [0; WORDS]);
        // SAFETY: the system writes at most `bytes`.
        if unsafe { sched_getaffinity(this_thread, bytes, &raw mut allowed) } < 0 {
            return;
        }
        let mut others = allowed;
        if let Some(word) = others.get_mut(processor / 64) {
            *word &= !(1 << (processor % 64));
        }
        // SAFETY: masks of `bytes`, read only. A mask without a processor is refused, and then nothing changes.
        unsafe {
            sched_setaffinity(this_thread, bytes, &raw const others);
            sched_setaffinity(this_thread, bytes, &raw const allowed);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    pub fn current() -> Option<usize> {
        None
    }

    pub fn exclude_for_a_moment(_: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_leaves_may_run_where_it_could_before() {
        let cores = std::thread::available_parallelism();
        for _ in 0..10 {
            leave(current().unwrap_or_default());
            assert_eq!(std::thread::available_parallelism().ok(), cores.as_ref().ok().copied());
        }
    }
}
