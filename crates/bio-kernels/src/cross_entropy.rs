//! loss = logsumexp(logits) − logits[target] per row.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{KernelError, Result, check_len, checked_product};
use crate::isa::{self, per_isa};
use crate::math::{LANES, each, exp, lanes_total, max_of};

/// Targets are classes, or `ignore_index`.
fn check_targets(operation: &'static str, targets: &[i32], columns: usize, ignore_index: i32) -> Result<()> {
    let wrong = |&target: &i32| {
        target != ignore_index && usize::try_from(target).map_or(true, |target| target >= columns)
    };
    match targets.iter().position(wrong) {
        None => Ok(()),
        Some(at) => Err(KernelError {
            code: "ERR_BIO_INDEX",
            operation,
            expected: format!("targets below {columns}, or {ignore_index}"),
            received: format!("{} at {at}", targets[at]),
        }),
    }
}

pub fn cross_entropy(
    loss: &mut [f32],
    log_sum_exp: &mut [f32],
    logits: &[f32],
    targets: &[i32],
    rows: usize,
    columns: usize,
    ignore_index: i32,
) -> Result<()> {
    check_len("cross_entropy", "logits", logits.len(), checked_product("cross_entropy", &[rows, columns])?)?;
    for (name, length) in
        [("loss", loss.len()), ("log_sum_exp", log_sum_exp.len()), ("targets", targets.len())]
    {
        check_len("cross_entropy", name, length, rows)?;
    }
    check_targets("cross_entropy", targets, columns, ignore_index)?;
    let isa = isa::current();
    let totals = Disjoint::new(log_sum_exp);
    for_ranges(rows, columns, &|range| {
        // SAFETY: ranges of rows do not overlap.
        let totals = unsafe { totals.part(range.clone()) };
        sum_exponentials(isa, totals, &logits[range.start * columns..range.end * columns], columns);
    });
    for (r, loss) in loss.iter_mut().enumerate() {
        let ignored = targets[r] == ignore_index;
        *loss = if ignored { 0.0 } else { log_sum_exp[r] - logits[r * columns + targets[r] as usize] };
    }
    Ok(())
}

per_isa! {
    fn sum_exponentials(totals: &mut [f32], logits: &[f32], columns: usize) {
        for (total, row) in totals.iter_mut().zip(logits.chunks_exact(columns.max(1))) {
            let high = max_of(row);
            let mut lanes = [0.0f32; LANES];
            let chunks = row.chunks_exact(LANES);
            for (i, value) in chunks.remainder().iter().enumerate() {
                lanes[i] += exp::<FMA>(value - high);
            }
            for chunk in chunks {
                for i in 0..LANES {
                    lanes[i] += exp::<FMA>(chunk[i] - high);
                }
            }
            *total = (f64::from(high) + f64::from(lanes_total(lanes)).ln()) as f32;
        }
    }
}

/// dLogits = dLoss·(softmax(logits) − onehot(target)); 0 for ignored rows.
pub fn cross_entropy_backward(
    d_logits: &mut [f32],
    d_loss: &[f32],
    logits: &[f32],
    log_sum_exp: &[f32],
    targets: &[i32],
    rows: usize,
    columns: usize,
    ignore_index: i32,
) -> Result<()> {
    check_len("cross_entropy_backward", "logits", logits.len(), d_logits.len())?;
    apply_backward(d_logits, Some(logits), d_loss, log_sum_exp, targets, rows, columns, ignore_index)
}

/// Logits become their gradient.
pub fn cross_entropy_backward_in_place(
    logits: &mut [f32],
    d_loss: &[f32],
    log_sum_exp: &[f32],
    targets: &[i32],
    rows: usize,
    columns: usize,
    ignore_index: i32,
) -> Result<()> {
    apply_backward(logits, None, d_loss, log_sum_exp, targets, rows, columns, ignore_index)
}

fn apply_backward(
    d_logits: &mut [f32],
    logits: Option<&[f32]>,
    d_loss: &[f32],
    log_sum_exp: &[f32],
    targets: &[i32],
    rows: usize,
    columns: usize,
    ignore_index: i32,
) -> Result<()> {
    let size = checked_product("cross_entropy_backward", &[rows, columns])?;
    check_len("cross_entropy_backward", "logits", d_logits.len(), size)?;
    for (name, length) in
        [("d_loss", d_loss.len()), ("log_sum_exp", log_sum_exp.len()), ("targets", targets.len())]
    {
        check_len("cross_entropy_backward", name, length, rows)?;
    }
    check_targets("cross_entropy_backward", targets, columns, ignore_index)?;
    let isa = isa::current();
    let d_logits = Disjoint::new(d_logits);
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        let d_logits = unsafe { d_logits.part(values.clone()) };
        let (d_loss, log_sum_exp) = (&d_loss[range.clone()], &log_sum_exp[range.clone()]);
        gradient(
            isa,
            d_logits,
            logits.map(|x| &x[values]),
            d_loss,
            log_sum_exp,
            &targets[range],
            ignore_index,
        );
    });
    Ok(())
}

per_isa! {
    fn gradient(
        d_logits: &mut [f32],
        logits: Option<&[f32]>,
        d_loss: &[f32],
        log_sum_exp: &[f32],
        targets: &[i32],
        ignore_index: i32,
    ) {
        let columns = (d_logits.len() / targets.len().max(1)).max(1);
        for (r, row) in d_logits.chunks_exact_mut(columns).enumerate() {
            let (scale, total) = (d_loss[r], log_sum_exp[r]);
            if targets[r] == ignore_index || scale == 0.0 {
                row.fill(0.0);
                continue;
            }
            let logits = logits.map(|logits| &logits[r * columns..][..columns]);
            each(row, logits, |value| scale * exp::<FMA>(value - total));
            row[targets[r] as usize] -= scale;
        }
    }
}
