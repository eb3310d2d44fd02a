"""The page itself, made of Gradio's parts. It loads nothing from elsewhere and tells nobody that it runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from clients.playground.asking import Asking

_STYLE = Path(__file__).with_name("page.css")
# Fonts that are on the reader's machine: Gradio's own theme fetches some from Google.
_FONTS = ["ui-sans-serif", "system-ui", "sans-serif"]
_FIXED_FONTS = ["ui-monospace", "monospace"]
_EXAMPLES = [
    ["wake me at seven", ""],
    ["play that Madonna song in the kitchen again", "and close the garage door"],
    ["Send a message to Peter: the meeting is on Friday!", "yes, and tell him I am late"],
]


def make_page(asking: Asking, server: str) -> gr.Blocks:
    """Returns the page. server: its address, which the page shows."""

    def ask(text: str, pair: str, compares: bool) -> Iterator[tuple[str, str, str]]:
        for answers, layers, compared in asking.ask(text, pair, compares):
            yield f'<div class="cards">{answers}</div>', layers, compared

    with gr.Blocks(title="Espalier playground", analytics_enabled=False) as page:
        gr.Markdown(f"## Espalier\nAsks `{server}`. Each task's answer appears as soon as its branch is done.")
        with gr.Row():
            text = gr.Textbox(label="Text", lines=2, elem_id="text", autofocus=True)
            pair = gr.Textbox(label="Second text, for pair tasks", lines=2, elem_id="pair")
        with gr.Row():
            button = gr.Button("Ask", variant="primary", elem_id="ask")
            compares = gr.Checkbox(label="Ask live version and canary beside each other", elem_id="compare")
        answers = gr.HTML(elem_id="answers")
        layers = gr.HTML(elem_id="layers")
        compared = gr.HTML(elem_id="compared")
        gr.Examples(_EXAMPLES, [text, pair])
        asked = ([text, pair, compares], [answers, layers, compared])
        for event in (button.click, text.submit, pair.submit):
            event(ask, *asked, show_progress="hidden", api_visibility="private")
    return page


def looks() -> dict[str, Any]:
    """Returns fonts and style, as Gradio takes them where the page is served."""
    return {"theme": gr.themes.Default(font=_FONTS, font_mono=_FIXED_FONTS), "css_paths": [_STYLE]}
