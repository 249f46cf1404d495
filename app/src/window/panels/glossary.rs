//! Technical words that explain themselves where the mouse rests on them.

use egui::{CursorIcon, Response};

/// Each word with its meaning, for somebody who has never heard it.
const WORDS: [(&str, &str); 9] = [
    (
        "MAC",
        "Multiply-accumulate: one multiplication and one addition. Nearly all work of a neural network consists of them.",
    ),
    (
        "CNN",
        "Convolutional neural network: the part that looks at the picture and turns it into a few hundred numbers, the features.",
    ),
    (
        "RNN",
        "Recurrent neural network: the part with a memory. From the features of this picture and from what it remembers it computes \
         the steering angle.",
    ),
    (
        "delta RNN",
        "An RNN in which a neuron sends its value only when it has changed by more than a threshold since it was last sent. The \
         weights of quiet neurons are neither read nor multiplied.",
    ),
    ("dense RNN", "The ordinary RNN with the same weights: every neuron sends its value for every picture."),
    (
        "theta",
        "Threshold: how far a value must move before it is sent again. Larger: less work, but an angle that follows less closely.",
    ),
    ("RMS", "Root mean square: the mean size of the error, in which large errors count more than small ones."),
    ("column", "The weights that belong to one neuron. They are read and multiplied only when that neuron sends."),
    ("driver", "The angle that the person at the wheel held when the drive was recorded."),
];

/// What a word means; nothing for an unknown one.
pub fn meaning(word: &str) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning)
}

/// Explains `words` where the mouse rests on `response`.
pub fn explain(response: Response, words: &[&str]) -> Response {
    let lines: Vec<String> = words.iter().map(|word| format!("{word}: {}", meaning(word))).collect();
    response.on_hover_text(lines.join("\n\n")).on_hover_cursor(CursorIcon::Help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_meaning() {
        for (word, _) in WORDS {
            assert!(meaning(word).len() > 40, "{word}");
        }
        assert_eq!(meaning("nonsense"), "");
    }
}
