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
        let count = (length * size_of::<T>()).div_ceil(64);
        let mut lines = Vec::with_capacity(count);
        prefer_large_pages(&mut lines);
        lines.resize(count, Line::zeroed());
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

/// Asks the system to back an array of many megabytes, which nobody has touched yet, with large pages.
#[cfg(all(target_os = "linux", not(miri)))]
#[allow(unsafe_code)] // A hint to the system about memory that we own.
fn prefer_large_pages(lines: &mut Vec<Line>) {
    const LARGE: usize = 2 << 20;
    let room = lines.spare_capacity_mut();
    let start = room.as_mut_ptr().addr().next_multiple_of(LARGE);
    let end = (room.as_mut_ptr().addr() + size_of_val(room)) / LARGE * LARGE;
    if start < end {
        // SAFETY: the range lies within the vector's own room, and the call changes nothing but how the system backs
        // it. Where it is refused, small pages remain.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn prefer_large_pages(_lines: &mut Vec<Line>) {}

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
