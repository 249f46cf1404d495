//! Colours and spacing, dark and light. Series colours are Okabe and Ito's, which the colour-blind can tell apart;
//! meaning never rests on colour alone (labels, line style or place say it too).

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Visuals, vec2};

/// The named colours of one theme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    /// Behind everything. Cards are edges on it: a ground of their own would be painted over all of it, which costs where Mesa paints
    /// on the processor.
    pub ground: Color32,
    /// A card's edge and the charts' grid.
    pub edge: Color32,
    /// Behind a chart.
    pub well: Color32,
    /// Ordinary text.
    pub text: Color32,
    /// Captions.
    pub weak: Color32,
    /// The true angle.
    pub truth: Color32,
    /// The delta RNN: also the accent of the whole window.
    pub delta: Color32,
    /// The dense RNN.
    pub dense: Color32,
    /// The second setting.
    pub second: Color32,
    /// A transmitted increase.
    pub rise: Color32,
    /// A transmitted decrease.
    pub fall: Color32,
    /// Something is wrong.
    pub warning: Color32,
}

const DARK: Palette = Palette {
    ground: Color32::from_rgb(22, 28, 36),
    edge: Color32::from_rgb(41, 50, 61),
    well: Color32::from_rgb(15, 20, 26),
    text: Color32::from_rgb(226, 232, 238),
    weak: Color32::from_rgb(165, 177, 190),
    truth: Color32::from_rgb(38, 208, 160),
    delta: Color32::from_rgb(255, 176, 32),
    dense: Color32::from_rgb(86, 180, 233),
    second: Color32::from_rgb(222, 140, 190),
    rise: Color32::from_rgb(255, 176, 32),
    fall: Color32::from_rgb(86, 180, 233),
    warning: Color32::from_rgb(255, 122, 82),
};

const LIGHT: Palette = Palette {
    ground: Color32::from_rgb(255, 255, 255),
    edge: Color32::from_rgb(212, 218, 226),
    well: Color32::from_rgb(246, 248, 250),
    text: Color32::from_rgb(24, 32, 42),
    weak: Color32::from_rgb(70, 82, 96),
    truth: Color32::from_rgb(0, 114, 82),
    delta: Color32::from_rgb(172, 80, 0),
    dense: Color32::from_rgb(0, 100, 160),
    second: Color32::from_rgb(164, 64, 124),
    rise: Color32::from_rgb(172, 80, 0),
    fall: Color32::from_rgb(0, 100, 160),
    warning: Color32::from_rgb(180, 46, 8),
};

impl Palette {
    /// The colours of `theme`.
    pub fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }

    /// The colours that `ui` is painted with.
    pub fn current(ui: &egui::Ui) -> &'static Self {
        Self::of(ui.ctx().theme())
    }
}

/// Behind words that lie over a picture: they stay readable on white.
pub const PLATE: Color32 = Color32::from_black_alpha(190);

/// Gives both themes of `ctx` their colours, type sizes and spacing.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            let sizes = [
                (TextStyle::Small, 12.0),
                (TextStyle::Body, 13.0),
                (TextStyle::Button, 13.0),
                (TextStyle::Heading, 16.0),
            ];
            for (name, size) in sizes {
                style.text_styles.insert(name, FontId::new(size, FontFamily::Proportional));
            }
            style.text_styles.insert(TextStyle::Monospace, FontId::new(12.0, FontFamily::Monospace));
            style.spacing.item_spacing = vec2(8.0, 6.0);
            style.spacing.button_padding = vec2(8.0, 3.0);
            style.spacing.slider_rail_height = 4.0;
            style.interaction.tooltip_delay = 0.25;
        });
    }
}

/// egui's own fonts, with the monospace one also standing in for signs that the proportional ones lack.
fn fonts() -> egui::FontDefinitions {
    let mut fonts = egui::FontDefinitions::default();
    let stand_in = fonts.families.get(&FontFamily::Monospace).and_then(|names| names.first().cloned());
    if let Some(family) = fonts.families.get_mut(&FontFamily::Proportional) {
        family.extend(stand_in);
    }
    fonts
}

fn visuals(theme: Theme) -> Visuals {
    let colours = Palette::of(theme);
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    visuals.panel_fill = colours.ground;
    visuals.window_fill = colours.ground;
    visuals.window_stroke = Stroke::new(1.0, colours.edge);
    visuals.extreme_bg_color = colours.well;
    visuals.faint_bg_color = colours.well;
    visuals.override_text_color = Some(colours.text);
    visuals.weak_text_color = Some(colours.weak);
    visuals.hyperlink_color = colours.dense;
    visuals.warn_fg_color = colours.warning;
    visuals.error_fg_color = colours.warning;
    visuals.selection.bg_fill = colours.delta.gamma_multiply(if theme == Theme::Dark { 0.38 } else { 0.30 });
    visuals.selection.stroke = Stroke::new(1.0, colours.text);
    visuals.slider_trailing_fill = true;
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(8);
    for state in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        state.corner_radius = CornerRadius::same(6);
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, colours.edge);
    visuals.widgets.inactive.weak_bg_fill = colours.edge.gamma_multiply(0.55);
    visuals.widgets.inactive.bg_fill = colours.edge;
    visuals.widgets.hovered.weak_bg_fill = colours.edge;
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, colours.weak);
    visuals
}

/// The frame around a group of things that belong together.
pub fn card(ui: &egui::Ui) -> egui::Frame {
    let colours = Palette::current(ui);
    egui::Frame::new()
        .stroke(Stroke::new(1.0, colours.edge))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(10, 8))
}

/// The font of captions.
pub fn small(ui: &egui::Ui) -> FontId {
    TextStyle::Small.resolve(ui.style())
}

/// The font of ordinary text.
pub fn body(ui: &egui::Ui) -> FontId {
    TextStyle::Body.resolve(ui.style())
}

/// The font of a heading within a card.
pub fn strong(ui: &egui::Ui) -> FontId {
    FontId { size: 1.15 * body(ui).size, ..body(ui) }
}

/// The first of `lines` that fits into one line of captions; else the last.
pub fn fitting(ui: &egui::Ui, lines: &[String]) -> String {
    let width = |line: &String| ui.painter().layout_no_wrap(line.clone(), small(ui), Color32::WHITE).size().x;
    let fits = lines.iter().find(|line| width(line) <= ui.available_width());
    fits.or(lines.last()).cloned().unwrap_or_default()
}

/// The lettering of the figure that people will remember.
pub fn headline_font(height_points: f32) -> FontId {
    FontId::new(height_points, FontFamily::Proportional)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::Rgba;

    /// What WCAG 2.2 asks of ordinary text (success criterion 1.4.3).
    const LEAST: f32 = 4.5;

    /// The contrast ratio of WCAG 2.2, from relative luminance.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |colour: Color32| {
            let linear = Rgba::from(colour);
            0.2126 * linear.r() + 0.7152 * linear.g() + 0.0722 * linear.b()
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_text_is_readable_on_every_ground() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-3);
        for theme in [Theme::Dark, Theme::Light] {
            let (colours, visuals) = (Palette::of(theme), visuals(theme));
            let Palette { text, weak, truth, delta, dense, second, rise, fall, warning, .. } = *colours;
            for ground in [colours.ground, colours.well] {
                for ink in [text, weak, truth, delta, dense, second, rise, fall, warning] {
                    let ratio = contrast(ink, ground);
                    assert!(ratio >= LEAST, "{theme:?}: {ink:?} on {ground:?}: {ratio:.2}");
                }
                // Buttons and what is switched on.
                for fill in [visuals.widgets.inactive.weak_bg_fill, colours.edge, visuals.selection.bg_fill] {
                    let ratio = contrast(text, ground.blend(fill));
                    assert!(ratio >= LEAST, "{theme:?}: text on {fill:?}: {ratio:.2}");
                }
            }
        }
        for ink in [Color32::WHITE, DARK.delta] {
            assert!(contrast(ink, Color32::WHITE.blend(PLATE)) >= LEAST, "{ink:?} over a white picture");
        }
    }
}
