//! The parts of the kernels that the cells' tests cannot reach one by one.

use super::{
    Kernel,
    aligned::{Aligned, LANES},
    gates::{self, GATE_ERROR, Gates},
    simd::{Op, Simd},
};

/// Updates the gates of one vector, then idles.
struct Update<'a> {
    pre: &'a Aligned<f32>,
    hidden: &'a mut Aligned<f32>,
    z: &'a mut Aligned<f32>,
    zn: &'a mut Aligned<f32>,
    idle: bool,
}

impl Op for Update<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let gates = Gates { hidden: self.hidden.vectors_mut(), z: self.z.vectors_mut(), zn: self.zn.vectors_mut() };
        if self.idle {
            gates::idle_update(simd, gates);
        } else {
            gates::update(simd, self.pre.vectors(), gates);
        }
    }
}

/// The hidden state as f64 computes it.
fn exact([m_r, m_z, m_xn, m_hn]: [f32; 4], h: f32) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (r, z) = (sigmoid(f64::from(m_r)), sigmoid(f64::from(m_z)));
    let n = (f64::from(m_xn) + r * f64::from(m_hn)).tanh();
    (1.0 - z) * n + z * f64::from(h)
}

#[test]
fn gates_keep_their_error_bound_in_every_variant() {
    let line: Vec<f32> =
        (-400..=400).map(|i| i as f32 * 0.0213).chain([-100.0, -88.5, -30.0, 30.0, 88.5, 100.0]).collect();
    for kernel in Kernel::available() {
        let mut worst = 0.0f64;
        for pattern in 0..5 {
            for (k, value) in line.iter().enumerate() {
                let other = line[(k * 37 + 11) % line.len()];
                // Each of the four pre takes its turn to sweep, and at last all of them at once.
                let mut m = [other * 0.3; 4];
                if pattern == 4 {
                    m = [*value, other, -*value, other]
                } else {
                    m[pattern] = *value
                }
                let h = (other * 0.2).clamp(-1.0, 1.0);
                let mut pre = Aligned::zeros(4 * LANES);
                for quarter in 0..4 {
                    pre[quarter * LANES..][..LANES].fill(m[quarter]);
                }
                let [mut hidden, mut z, mut zn] = std::array::from_fn(|_| Aligned::zeros(LANES));
                hidden.fill(h);
                kernel.run(Update { pre: &pre, hidden: &mut hidden, z: &mut z, zn: &mut zn, idle: false });
                worst = hidden.iter().fold(worst, |w, found| w.max((f64::from(*found) - exact(m, h)).abs()));
            }
        }
        println!("{}: largest error of a gate update {worst:e}", kernel.name());
        assert!(worst < GATE_ERROR, "{}: {worst:e}", kernel.name());
    }
}

#[test]
fn idle_update_equals_update() {
    for kernel in Kernel::available() {
        let mut pre = Aligned::zeros(4 * LANES);
        pre.iter_mut().enumerate().for_each(|(i, m)| *m = (i as f32 * 0.77).sin() * 3.0);
        let [mut hidden, mut z, mut zn] = std::array::from_fn(|_| Aligned::zeros(LANES));
        let mut other = hidden.clone();
        for step in 0..20 {
            kernel.run(Update { pre: &pre, hidden: &mut hidden, z: &mut z, zn: &mut zn, idle: step > 0 });
            let [mut a, mut b] = std::array::from_fn(|_| Aligned::zeros(LANES));
            kernel.run(Update { pre: &pre, hidden: &mut other, z: &mut a, zn: &mut b, idle: false });
            assert_eq!(hidden[..], other[..], "{} step {step}", kernel.name());
        }
    }
}

/// Packs and selects by every mask.
struct Masks;

impl Op for Masks {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let values: [f32; LANES] = std::array::from_fn(|i| i as f32 + 1.0);
        for mask in 0..=u16::MAX {
            let (mut deltas, mut columns) = ([0.0; LANES], [0; LANES]);
            simd.compress(mask, simd.load(&values), 100, &mut deltas, &mut columns);
            let lanes: Vec<usize> = (0..LANES).filter(|lane| mask >> lane & 1 == 1).collect();
            for (place, lane) in lanes.iter().enumerate() {
                assert_eq!((deltas[place], columns[place]), (values[*lane], 100 + *lane as u32), "{mask:016b}");
            }
            let mut chosen = [9.0; LANES];
            simd.store(&mut chosen, simd.select(mask, simd.load(&values), simd.splat(-1.0)));
            for lane in 0..LANES {
                assert_eq!(chosen[lane], if lanes.contains(&lane) { values[lane] } else { -1.0 });
            }
        }
    }
}

#[test]
fn masks_pack_and_select_alike() {
    for kernel in Kernel::available() {
        kernel.run(Masks);
    }
}
