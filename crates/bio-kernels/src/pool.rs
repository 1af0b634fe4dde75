//! The thread pool.

/// Runs `body(0)` to `body(tasks - 1)`, in any order and on any thread of the pool, and returns when all are done.
pub fn run(tasks: usize, body: &(dyn Fn(usize) + Sync)) {
    for task in 0..tasks {
        body(task);
    }
}
