//! Refusals: data first (`code`, operation, expected, received), one sentence second.

use std::fmt;

/// Why a kernel refused its arguments. `code` is the stable code that JavaScript sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    pub code: &'static str,
    pub operation: &'static str,
    pub expected: String,
    pub received: String,
}

pub type Result<T> = std::result::Result<T, KernelError>;

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, received {}", self.operation, self.expected, self.received)
    }
}

impl std::error::Error for KernelError {}

/// `ERR_BIO_SHAPE` unless `name` holds exactly `expected` values.
pub fn check_len(operation: &'static str, name: &str, received: usize, expected: usize) -> Result<()> {
    if received == expected {
        return Ok(());
    }
    Err(KernelError {
        code: "ERR_BIO_SHAPE",
        operation,
        expected: format!("{name} of {expected} values"),
        received: format!("{received} values"),
    })
}

/// The product of dimensions, or `ERR_BIO_SHAPE` where it overflows.
pub fn checked_product(operation: &'static str, dimensions: &[usize]) -> Result<usize> {
    dimensions.iter().try_fold(1usize, |product, &d| product.checked_mul(d)).ok_or_else(|| KernelError {
        code: "ERR_BIO_SHAPE",
        operation,
        expected: "dimensions whose product fits in memory".into(),
        received: format!("{dimensions:?}"),
    })
}

/// `ERR_BIO_INDEX` for the first index outside `0..limit`.
pub fn check_indices(operation: &'static str, name: &str, indices: &[i32], limit: usize) -> Result<()> {
    match indices.iter().position(|&index| usize::try_from(index).map_or(true, |index| index >= limit)) {
        None => Ok(()),
        Some(at) => Err(KernelError {
            code: "ERR_BIO_INDEX",
            operation,
            expected: format!("{name} from 0 to {}", limit.saturating_sub(1)),
            received: format!("{} at {at}", indices[at]),
        }),
    }
}
