/**
 * x ≥ 0 that minimises ‖A·x − b‖², for a matrix of few columns: the best of the least-squares solutions over all sets of columns whose
 * coefficients come out positive, which is exact (the minimum is the unconstrained one of its own support). 2ⁿ solves for n columns.
 */
export function nonNegativeLeastSquares(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
): readonly number[] {
  const columns = rows[0]?.length ?? 0
  const scales = Array.from({ length: columns }, (_, column) =>
    Math.sqrt(rows.reduce((sum, row) => sum + row[column]! ** 2, 0)),
  )
  let best: readonly number[] = Array.from({ length: columns }, () => 0)
  let least = squaredError(rows, targets, best)
  for (let set = 1; set < 2 ** columns; set++) {
    const support = scales.flatMap((scale, column) => ((set >> column) & 1 && scale > 0 ? [column] : []))
    const solution = leastSquares(
      rows.map((row) => support.map((column) => row[column]! / scales[column]!)),
      targets,
    )
    if (solution === undefined || solution.some((value) => value < 0)) continue
    const candidate = [...best].fill(0)
    support.forEach((column, index) => (candidate[column] = solution[index]! / scales[column]!))
    const error = squaredError(rows, targets, candidate)
    if (error < least) [best, least] = [candidate, error]
  }
  return best
}

function squaredError(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  solution: readonly number[],
): number {
  return rows.reduce((sum, row, index) => sum + (dot(row, solution) - targets[index]!) ** 2, 0)
}

function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * right[index]!, 0)
}

/**
 * By modified Gram-Schmidt on the columns with the targets beside them, which keeps the digits that the normal equations square away;
 * undefined where a column is (to 10⁻¹⁰) a sum of others. Columns are of unit length.
 */
function leastSquares(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
): readonly number[] | undefined {
  const basis = rows[0]!.map((_, column) => rows.map((row) => row[column]!))
  const rest = [...targets]
  const upper = basis.map(() => basis.map(() => 0)) // R of Q·R
  const projected: number[] = []
  for (const [column, vector] of basis.entries()) {
    const length = Math.sqrt(dot(vector, vector))
    if (length < 1e-10) return undefined
    upper[column]![column] = length
    for (const [row, value] of vector.entries()) vector[row] = value / length
    for (let later = column + 1; later < basis.length; later++) {
      upper[column]![later] = dot(vector, basis[later]!)
      subtract(basis[later]!, vector, upper[column]![later]!)
    }
    projected.push(dot(vector, rest))
    subtract(rest, vector, projected[column]!)
  }
  const solution: number[] = Array.from({ length: basis.length }, () => 0)
  for (let column = basis.length - 1; column >= 0; column--) {
    solution[column] = (projected[column]! - dot(upper[column]!, solution)) / upper[column]![column]!
  }
  return solution
}

/** vector −= factor · other. */
function subtract(vector: number[], other: readonly number[], factor: number): void {
  for (const [index, value] of other.entries()) vector[index]! -= factor * value
}
