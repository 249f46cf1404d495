//! The terminal's second screen, given back whatever happens.

use std::io::Write;

/// While this lives the terminal shows our screen without a cursor.
pub struct Screen;

impl Screen {
    /// Takes the screen over.
    ///
    /// # Errors
    /// Standard output that cannot be written.
    pub fn open() -> std::io::Result<Self> {
        let screen = Self;
        screen.show("\x1b[?1049h\x1b[?25l\x1b[2J")?;
        Ok(screen)
    }

    /// Shows one picture of text, from the upper left corner.
    ///
    /// # Errors
    /// Standard output that cannot be written.
    pub fn show(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        // The terminal holds drawing back until the whole picture has come, where it knows how.
        out.write_all(b"\x1b[?2026h\x1b[H")?;
        out.write_all(text.as_bytes())?;
        out.write_all(b"\x1b[?2026l")?;
        out.flush()
    }

    /// Columns and rows, 80 x 24 where the terminal does not say.
    pub fn size(&self) -> (usize, usize) {
        let (rows, columns) = console::Term::stdout().size_checked().unwrap_or((24, 80));
        (usize::from(columns), usize::from(rows))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing more can be done if the terminal has gone.
        let _ = self.show("\x1b[?25h\x1b[?1049l");
    }
}
