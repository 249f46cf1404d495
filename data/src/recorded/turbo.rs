//! JPEG through libjpeg-turbo (feature `turbojpeg`): faster than the pure Rust decoder, and able to leave out rows that nobody reads.
#![allow(unsafe_code)] // calls into a C library

use std::ops::Range;
use std::ptr::NonNull;

use turbojpeg_sys as sys;

/// A file may not keep the decoder busy with more scans than this; real progressive pictures have about ten.
const MAX_SCANS: i32 = 100;

/// A decoder of one thread, used again for every picture.
struct Decoder(NonNull<std::ffi::c_void>);

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle came from `tj3Init` and is destroyed here alone.
        unsafe { sys::tj3Destroy(self.0.as_ptr()) }
    }
}

thread_local! {
    static DECODER: Option<Decoder> = Decoder::new();
}

/// Decodes `rows` of a picture of `height` by `width` pixels into RGB, `[height][width][3]`; the other rows are black.
///
/// `None` where libjpeg-turbo refuses the picture, warns about it, or finds another size: the caller then asks the pure Rust decoder,
/// which says what is wrong.
pub(super) fn decode(bytes: &[u8], [height, width]: [usize; 2], rows: Range<usize>) -> Option<Vec<u8>> {
    DECODER.with(|decoder| decoder.as_ref()?.decode(bytes, [height, width], rows))
}

impl Decoder {
    fn new() -> Option<Self> {
        // SAFETY: the call has no preconditions; it returns null where memory is short.
        let handle = NonNull::new(unsafe { sys::tj3Init(sys::TJINIT_TJINIT_DECOMPRESS as _) })?;
        let decoder = Self(handle.cast());
        decoder.set(sys::TJPARAM_TJPARAM_STOPONWARNING, 1)?;
        decoder.set(sys::TJPARAM_TJPARAM_SCANLIMIT, MAX_SCANS)?;
        Some(decoder)
    }

    fn set(&self, parameter: sys::TJPARAM, value: i32) -> Option<()> {
        // SAFETY: the handle is alive; an unknown parameter or value is refused by the library.
        done(unsafe { sys::tj3Set(self.0.as_ptr(), parameter as _, value) })
    }

    fn get(&self, parameter: sys::TJPARAM) -> Option<usize> {
        // SAFETY: the handle is alive.
        usize::try_from(unsafe { sys::tj3Get(self.0.as_ptr(), parameter as _) }).ok()
    }

    fn decode(&self, bytes: &[u8], [height, width]: [usize; 2], rows: Range<usize>) -> Option<Vec<u8>> {
        let whole = sys::tjregion { x: 0, y: 0, w: 0, h: 0 };
        let region = if rows == (0..height) { whole } else { region(&rows)? };
        let pitch = 3 * width;
        // A region that belonged to the picture before is taken away first, because it need not fit this one.
        // SAFETY: the handle is alive.
        done(unsafe { sys::tj3SetCroppingRegion(self.0.as_ptr(), whole) })?;
        // SAFETY: the handle is alive, and no more than the bytes of `bytes` are read.
        done(unsafe { sys::tj3DecompressHeader(self.0.as_ptr(), bytes.as_ptr(), bytes.len() as _) })?;
        let size = [self.get(sys::TJPARAM_TJPARAM_JPEGHEIGHT)?, self.get(sys::TJPARAM_TJPARAM_JPEGWIDTH)?];
        if size != [height, width] || rows.start >= rows.end || rows.end > height {
            return None;
        }
        // SAFETY: as above; a region outside the picture is refused by the library.
        done(unsafe { sys::tj3SetCroppingRegion(self.0.as_ptr(), region) })?;
        let mut pixels = Vec::with_capacity(height * pitch);
        let start: *mut u8 = pixels.as_mut_ptr();
        // SAFETY: the vector has room for `height` rows of `pitch` bytes. The library writes `rows.len()` rows of `pitch` bytes from row
        // `rows.start` on, all of them where it succeeds without a warning (a warning is an error, see `new`); the rows above and below
        // are set to zero. So every byte is written before the length is set.
        unsafe {
            let place = start.add(rows.start * pitch);
            let rgb = sys::TJPF_TJPF_RGB as _;
            done(sys::tj3Decompress8(
                self.0.as_ptr(),
                bytes.as_ptr(),
                bytes.len() as _,
                place,
                i32::try_from(pitch).ok()?,
                rgb,
            ))?;
            start.write_bytes(0, rows.start * pitch);
            start.add(rows.end * pitch).write_bytes(0, (height - rows.end) * pitch);
            pixels.set_len(height * pitch);
        }
        Some(pixels)
    }
}

fn region(rows: &Range<usize>) -> Option<sys::tjregion> {
    Some(sys::tjregion { x: 0, y: i32::try_from(rows.start).ok()?, w: 0, h: i32::try_from(rows.len()).ok()? })
}

/// The library's result code: 0 is success.
fn done(code: i32) -> Option<()> {
    (code == 0).then_some(())
}
