//! Arrays that start on a cache line.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use bytemuck::{Pod, Zeroable};

/// Lanes of a kernel's vector; the padding of every array that kernels read.
pub(crate) const LANES: usize = 16;

/// One cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// An array that starts on a cache line; reads and writes as a slice.
#[derive(Clone)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    length: usize,
    values: PhantomData<T>,
}

impl<T: Pod> Aligned<T> {
    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let lines = vec![Line::zeroed(); (length * size_of::<T>()).div_ceil(64)];
        Self { lines, length, values: PhantomData }
    }

    /// The array in vectors of 16; its length is a multiple of that.
    pub(crate) fn vectors(&self) -> &[[T; LANES]] {
        self.as_chunks().0
    }

    /// The same, to write.
    pub(crate) fn vectors_mut(&mut self) -> &mut [[T; LANES]] {
        self.as_chunks_mut().0
    }
}

impl<T: Pod> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.length]
    }
}

impl<T: Pod> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.length]
    }
}

impl<T> fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({} values)", self.length)
    }
}
