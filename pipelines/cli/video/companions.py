"""The videos that accompany an input: control images for a ControlNet, and masks of persons."""

from dataclasses import dataclass

import typer

from turbolens.pipelines.adapter_pictures import ControlVideo, MaskVideo
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.video.media import MediaOptions


@dataclass(frozen=True)
class Companions:
    """Their files, `None` where there is none."""

    control_video: str | None = None
    mask: str | None = None

    def check(self, choice: ModelChoice, region: str, *, single: bool) -> None:
        """Raise `typer.BadParameter` for what does not fit the other options.

        single: True if there is one input.
        """
        has_control = choice.adapters.control is not None
        if self.control_video is not None and (not single or has_control):
            raise typer.BadParameter(
                "--control-video is for one input, and takes --control's place"
            )
        if self.mask is not None and (not single or region == "all"):
            raise typer.BadParameter(
                "--mask is for one input, and needs --region person or background"
            )

    @property
    def files(self) -> dict[str, str | None]:
        """The files by name."""
        return {"control video": self.control_video, "mask": self.mask}

    def open(self, options: MediaOptions) -> tuple[ControlVideo | None, MaskVideo | None]:
        """Open both for the same part of the time. Raises `MediaError`."""
        span = MediaOptions(start=options.start, duration=options.duration)
        control = None if self.control_video is None else ControlVideo(self.control_video, span)
        return control, None if self.mask is None else MaskVideo(self.mask, span)
