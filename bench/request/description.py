"""The fields of a description, each with the flags of `bench describe` and its help."""

from __future__ import annotations

from dataclasses import dataclass

from bench.request.option import option


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing:
    """What to say about the recordings of an index.

    Parameters
    ----------
    caption, tags, transcribe, sentences : str
        Names of models; empty for none.
    words : tuple[str, ...]
        Words that a CLAP of `tags` chooses from.
    by, clusters : str
        What gets titles; empty for the clusters of the index.
    llm : str
        Language model; empty for titles of the most distinctive words.
    where : str
        Condition on the files that are described; empty for all.
    """

    caption: str = option(
        "",
        "text",
        "Write what can be heard, by this captioner: http://localhost:PORT, hf:FOLDER or a plugin.",
        "--caption",
        metavar="NAME",
    )
    tags: str = option(
        "", "text", "Write tags, by this audio classifier or CLAP.", "--tags", metavar="hf:FOLDER"
    )
    words: tuple[str, ...] = option((), "list", "Tags that a CLAP chooses from.", "--words")
    domains: bool = option(
        False, "flag", "Say what each file is: speech, music, ..., by --tags or silero-vad.", "--domains"
    )
    transcribe: str = option(
        "", "text", "Write what is said, by this Whisper checkpoint.", "--transcribe", metavar="NAME"
    )
    language: str = option(
        "auto", "text", "Language of the speech, such as en.", "--language", default="auto", metavar="CODE"
    )
    sentences: str = option(
        "",
        "text",
        "Compute vectors of all texts, for searches by meaning, by this sentence encoder.",
        "--sentences",
        metavar="FOLDER",
    )
    titles: bool = option(False, "flag", "Title the clusters of the index, and test the titles.", "--titles")
    by: str = option(
        "", "text", "Title the values of this label, in place of clusters.", "--by", metavar="LABEL"
    )
    clusters: str = option(
        "",
        "text",
        "How to find clusters, as of `bench explore`.  [default: those of the index, else auto]",
        "--clusters",
        metavar="NAME|K",
    )
    llm: str = option(
        "",
        "text",
        "Language model that writes titles: a URL, gguf:FILE or hf:FOLDER.  [default: none]",
        "--llm",
        metavar="MODEL",
    )
    dry_run: bool = option(
        False, "flag", "Print what the language model would be asked, and write nothing.", "--dry-run"
    )
    where: str = option(
        "", "text", 'Only these files, such as "seconds > 2".', "--where", metavar="CONDITION"
    )
    jobs: int = option(1, "count", "Number of processes.", "--jobs", default="1", metavar="N")
    device: str = option("auto", "text", "auto, cpu, cuda or cuda:N.", "--device", default="auto")
