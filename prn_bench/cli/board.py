"""Commands of the leaderboard: build, check, add."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json
from prn_bench.cli.help import Command, Group

Data = Annotated[Path, typer.Option("--data", help="Folder of the leaderboard.", file_okay=False)]
FOLDER = Path("leaderboards")
EXIT_FINDING = 1

app = typer.Typer(
    name="leaderboard",
    cls=Group,
    help="Tables and a site from results and published numbers.",
    no_args_is_help=True,
)


@app.command(cls=Command)
def build(
    data: Data = FOLDER,
    site: Annotated[
        Path | None, typer.Option(help="Also make the static site, here.", file_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Make every table anew from the data; the same data give the same bytes."""
    from prn_bench.leaderboard.build import build_tables
    from prn_bench.leaderboard.data import open_leaderboard

    opened = open_leaderboard(data)
    changed = [str(path) for path in build_tables(opened)]
    facts: dict[str, object] = {
        "tables": str(data / "tables"),
        "boards": len(opened.boards),
        "published": len(opened.published),
        "recomputed": len(opened.filed),
        "changed": changed if json else f"{len(changed)} files" if changed else "nothing",
    }
    if site is not None:
        from prn_bench.site.build import build_site

        facts["site"] = str(build_site(opened, site))
    tables.print_json(facts) if json else tables.print_pairs(facts)


@app.command(cls=Command)
def check(data: Data = FOLDER, json: Json = False) -> None:
    """Compare the tables with the data: names each file and cell that differs; exit code 1.

    Notes are about published numbers that are odd in their sources; they do not count.
    """
    from prn_bench.leaderboard.build import check_tables
    from prn_bench.leaderboard.data import open_leaderboard

    found = check_tables(open_leaderboard(data))
    faults = [finding for finding in found if finding.level != "note"]
    if json:
        tables.print_json([asdict(finding) for finding in found])
    else:
        typer.echo(f"{data}: {'good' if not faults else f'{len(faults)} findings'}")
        tables.print_findings(found, examples=10)
    if faults:
        raise typer.Exit(EXIT_FINDING)


@app.command(cls=Command)
def add(
    results: Annotated[
        list[Path], typer.Argument(help="Results (.json) as score --out writes them.")
    ],
    data: Data = FOLDER,
    method: Annotated[
        str | None, typer.Option(help="Key of the method's file, where its name does not say.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let it take the place of another result.")
    ] = False,
) -> None:
    """Check results and file them; scores are never typed in."""
    from prn_bench.leaderboard.facts import read_methods
    from prn_bench.leaderboard.filed import add_result

    methods = read_methods(data / "methods")
    for path in results:
        target = add_result(path, data, methods, method_key=method, replace=replace)
        typer.echo(f"filed {target}")
    typer.echo("Now rebuild the tables: prn-bench leaderboard build.")
