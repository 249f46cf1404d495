//! Sun, sky and haze: how much light falls on things and how distance hides them.

use std::ops::Deref;

use super::super::noise::{NoiseMap, smoothstep, wave};
use super::super::style::{Country, Rgb, Style, Weather};
use super::canvas::Light4;

/// Haze is tabled up to this distance, an entry a metre.
const TABLE_M: usize = 1024;

/// Sun, sky and haze of one drive.
pub struct Light {
    seed: u64,
    /// Unit vector to the sun, in the world.
    pub to_sun: [f32; 3],
    palette: Palette,
    /// Whether clouds throw shadows on the land.
    passing_shadows: bool,
    haze: Box<[f32]>,
}

impl Deref for Light {
    type Target = Palette;

    fn deref(&self) -> &Palette {
        &self.palette
    }
}

impl Light {
    /// The light of a seed.
    pub fn new(seed: u64, style: &Style) -> Self {
        let elevation = f64::from(style.sun_elevation);
        let azimuth = f64::from(style.sun_azimuth);
        let flat = libm::cos(elevation);
        let to_sun = [flat * libm::cos(azimuth), flat * libm::sin(azimuth), libm::sin(elevation)].map(|c| c as f32);
        let mut palette = Palette::of(style);
        // Level ground catches the sine of the sun's height; the eye and the camera make up for part of it.
        palette.sun = palette.sun.map(|c| c * (0.35 + 0.65 * to_sun[2]));
        let haze = (0..TABLE_M).map(|z| 1.0 - libm::expf(-(z as f32) / style.sight_m)).collect();
        Self { seed, to_sun, palette, passing_shadows: style.weather == Weather::Broken, haze }
    }

    /// Share of a thing's light that the haze in front of it has replaced.
    #[inline(always)]
    pub fn haze(&self, depth: f32) -> f32 {
        self.haze[(depth as i32 as usize).min(TABLE_M - 1)]
    }

    /// Share of sunlight that the clouds let through to a place on the ground.
    #[inline(always)]
    pub fn through_clouds(&self, noise: &NoiseMap, east_m: f32, north_m: f32, time_s: f32) -> f32 {
        if !self.passing_shadows {
            return 1.0;
        }
        let n = noise.at((east_m + 9.0 * time_s) / 150.0, north_m / 150.0);
        1.0 - 0.8 * smoothstep(-0.05, 0.35, n)
    }

    /// How wide the camera opens: slow pumping, as real cameras do, and more in the shade.
    pub fn exposure(&self, time_s: f64, shade: f32) -> f32 {
        let pumping =
            0.07 * wave(self.seed, 0x6578_706f, time_s / 5.0) + 0.04 * wave(self.seed, 0x7075_6d70, time_s / 1.3);
        (1.0 + pumping) * (1.0 + 0.45 * shade)
    }

    /// `colour` under full sun times `sunlit` plus the sky's light.
    #[inline(always)]
    pub fn on(&self, colour: Rgb, sunlit: f32, skylit: f32) -> Light4 {
        [
            colour[0] * (self.sun[0] * sunlit + self.sky[0] * skylit),
            colour[1] * (self.sun[1] * sunlit + self.sky[1] * skylit),
            colour[2] * (self.sun[2] * sunlit + self.sky[2] * skylit),
            0.0,
        ]
    }

    /// `light` seen through `depth` metres of air.
    #[inline(always)]
    pub fn through_air(&self, light: Light4, depth: f32) -> Light4 {
        let haze = self.haze(depth);
        [
            light[0] + (self.horizon[0] - light[0]) * haze,
            light[1] + (self.horizon[1] - light[1]) * haze,
            light[2] + (self.horizon[2] - light[2]) * haze,
            0.0,
        ]
    }
}

/// Light and colours of the sky.
#[derive(Clone, Copy)]
pub struct Palette {
    /// Light of the sun on level ground.
    pub sun: Rgb,
    /// Light of the sky on level ground.
    pub sky: Rgb,
    /// The sky overhead.
    pub zenith: Rgb,
    /// The sky at the horizon, and what distance fades to.
    pub horizon: Rgb,
    /// The sky around the sun.
    pub glow: Rgb,
    /// The bright side of clouds.
    pub cloud: Rgb,
    /// Share of the sky that clouds cover.
    pub cover: f32,
}

impl Palette {
    /// With the sun overhead.
    #[rustfmt::skip]
    fn of(style: &Style) -> Self {
        let mut p = match style.weather {
            Weather::Clear => Self {
                sun: [2.35, 2.2, 1.95], sky: [0.45, 0.53, 0.68], zenith: [0.13, 0.30, 0.68], horizon: [0.62, 0.76, 0.92],
                glow: [0.9, 0.85, 0.7], cloud: [1.25, 1.25, 1.25], cover: 0.32,
            },
            Weather::Broken => Self {
                sun: [2.3, 2.15, 1.9], sky: [0.50, 0.57, 0.70], zenith: [0.17, 0.34, 0.66], horizon: [0.66, 0.76, 0.88],
                glow: [0.8, 0.75, 0.65], cloud: [1.2, 1.2, 1.2], cover: 0.55,
            },
            Weather::Overcast => Self {
                sun: [0.28, 0.28, 0.28], sky: [0.95, 0.98, 1.03], zenith: [0.52, 0.57, 0.64], horizon: [0.80, 0.84, 0.88],
                glow: [0.1, 0.1, 0.1], cloud: [0.85, 0.87, 0.90], cover: 0.93,
            },
            Weather::Hazy => Self {
                sun: [1.25, 1.18, 1.05], sky: [0.72, 0.75, 0.80], zenith: [0.48, 0.58, 0.72], horizon: [0.86, 0.87, 0.87],
                glow: [0.6, 0.55, 0.45], cloud: [1.0, 1.0, 1.0], cover: 0.45,
            },
            Weather::LowSun => Self {
                sun: [3.3, 2.05, 1.02], sky: [0.36, 0.40, 0.55], zenith: [0.16, 0.27, 0.52], horizon: [0.98, 0.70, 0.46],
                glow: [1.6, 0.95, 0.42], cloud: [1.25, 0.86, 0.62], cover: 0.42,
            },
        };
        if style.country == Country::Winter {
            p.horizon = p.horizon.map(|c| c * 0.96);
        }
        p
    }
}
