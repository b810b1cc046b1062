// Exact binomial tests against a fair coin; of some hundreds of trials every term is a double.
const binomial = {
  // The chance of at least so many successes.
  oneSided(successes, trials) {
    let term = 0.5 ** trials;
    let sum = 0;
    for (let count = 0; count <= trials; count += 1) {
      if (count >= successes) { sum += term; }
      term *= (trials - count) / (count + 1);
    }
    return Math.min(1, sum);
  },

  // The chance of a count as far from half or further.
  twoSided(successes, trials) {
    return Math.min(1, 2 * this.oneSided(Math.max(successes, trials - successes), trials));
  },

  text(p) { return p >= 0.001 ? `p = ${p.toFixed(3)}` : "p < 0.001"; },
};
