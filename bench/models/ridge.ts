/** Ridge regression: the weights that give `targets` from `rows` with the least squares and a penalty on their own. */

export interface Design {
  /** [n, d], row-major, centred. */
  readonly rows: Float64Array
  readonly d: number
  readonly n: number
}

/** Solves (XᵀX + λ n I) w = Xᵀ y by Cholesky. */
export function ridge({ rows, d, n }: Design, targets: Float64Array, lambda: number): Float64Array {
  const gram = new Float64Array(d * d)
  const w = new Float64Array(d)
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < d; i++) {
      const x = rows[row * d + i] as number
      w[i] = (w[i] as number) + x * (targets[row] as number)
      for (let j = 0; j <= i; j++)
        gram[i * d + j] = (gram[i * d + j] as number) + x * (rows[row * d + j] as number)
    }
  }
  for (let i = 0; i < d; i++) gram[i * d + i] = (gram[i * d + i] as number) + lambda * n
  const at = (i: number, j: number): number => gram[i * d + j] as number
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = at(i, j)
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k)
      gram[i * d + j] = i === j ? Math.sqrt(sum) : sum / at(j, j)
    }
  }
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < i; k++) w[i] = (w[i] as number) - at(i, k) * (w[k] as number)
    w[i] = (w[i] as number) / at(i, i)
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++) w[i] = (w[i] as number) - at(k, i) * (w[k] as number)
    w[i] = (w[i] as number) / at(i, i)
  }
  return w
}

export function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
