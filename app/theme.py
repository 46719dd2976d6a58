"""The look of the page: a calm gradio theme on system fonts, and `style.css`."""

from pathlib import Path

from gradio.themes import Base, Color, sizes

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
STYLE = Path(__file__).with_name("style.css")

INK = Color(
    name="ink",
    c50="#f1f5fb",
    c100="#dfe8f6",
    c200="#c3d4ee",
    c300="#97b6e2",
    c400="#6591d1",
    c500="#3b73c4",
    c600="#2f5fa8",
    c700="#294e88",
    c800="#264371",
    c900="#233a5f",
    c950="#17253f",
)
PAPER = Color(
    name="paper",
    c50="#faf9f7",
    c100="#f3f1ed",
    c200="#e6e3dd",
    c300="#d2cec6",
    c400="#9c978d",
    c500="#6e6a62",
    c600="#56534d",
    c700="#3a3936",
    c800="#262624",
    c900="#1b1b1a",
    c950="#131312",
)


def style() -> str:
    """The style sheet as a tag for the page's head: gradio would rewrite the selectors of a `css` argument."""
    return f"<style>{STYLE.read_text(encoding='utf-8')}</style>"


def theme() -> Base:
    """Paper and ink, one accent, no shadows; fonts the visitor already has, so nothing is fetched."""
    return Base(
        primary_hue=INK,
        secondary_hue=INK,
        neutral_hue=PAPER,
        radius_size=sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    ).set(
        color_accent="*primary_600",  # 500 is a hair under the contrast that small text needs
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        panel_border_width="0px",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_large_radius="*radius_md",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_border_color="*border_color_primary",
        button_border_width="1px",
        button_medium_text_weight="500",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_border_width="1px",
    )
