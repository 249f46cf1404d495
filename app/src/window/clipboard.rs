//! What the window puts on the clipboard.

use deltasteer_data::rgb_bytes;
use egui::ColorImage;

use super::command::{Copied, Lane};
use super::shell::Window;
use crate::export::Columns;
use crate::text;

impl Window {
    /// Puts something of frame `index` on the clipboard and says so.
    pub(super) fn copy(&mut self, ctx: &egui::Context, what: Copied, index: usize) {
        let view = &self.view;
        let text = match what {
            Copied::Picture => {
                let Some(frame) = &view.shown else { return };
                let (height, width, _) = frame.image.dim();
                ctx.copy_image(ColorImage::from_rgb([width, height], rgb_bytes(&frame.image)));
                return self.view.notices.say(false, format!("Copied the picture of frame {}.", frame.index));
            }
            Copied::CommandLine => self.command_line(),
            Copied::Angle | Copied::Row => {
                let Some(point) = view.main.answer(index) else {
                    return self.view.notices.say(false, format!("Frame {index} has not been answered yet."));
                };
                let dense_rad = view.lane(Lane::Dense).and_then(|dense| dense.answer(index)).map(|p| p.steering_rad);
                match what {
                    Copied::Angle => format!("{:.3}", point.steering_rad.to_degrees()),
                    _ => {
                        let row = Columns {
                            frame: point.index,
                            time_s: point.time_s,
                            steering_true_rad: point.truth_rad,
                            steering_rad: point.steering_rad,
                            steering_dense_rad: dense_rad,
                            count: point.count,
                            macs_dense: view.main.track.dense().macs,
                            cnn_looked: point.cnn.looked,
                            cnn_macs: point.cnn.macs,
                        };
                        row.text()
                    }
                }
            }
        };
        let shown = text.lines().last().unwrap_or_default().to_owned();
        ctx.copy_text(text);
        self.view.notices.say(false, format!("Copied: {shown}"));
    }

    /// A command that opens the window as it is now.
    pub(super) fn command_line(&self) -> String {
        let view = &self.view;
        let source = view.drive.as_ref().map_or(self.current.source.as_str(), |drive| &drive.name);
        let model = self.current.model.display().to_string();
        let mut words = vec![
            "deltasteer".to_owned(),
            "view".to_owned(),
            text::shell_word(source),
            "--model".to_owned(),
            text::shell_word(&model),
        ];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        let (thresholds, own) = (view.main.thresholds, view.main.model.as_ref().map(|model| model.thresholds));
        if own != Some(thresholds) {
            option("--theta-x", thresholds.theta_x.to_string());
            option("--theta-h", thresholds.theta_h.to_string());
        }
        if !view.is_live() {
            option("--at", format!("{:.3}", view.time_of(view.index())));
        }
        if !view.playing {
            words.push("--paused".to_owned());
        }
        words.join(" ")
    }
}
