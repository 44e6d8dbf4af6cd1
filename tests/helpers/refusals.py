"""What the command line says when it refuses."""

from zero123pp.pipelines.commands.cli import main


def refused(capsys, *arguments):
    """The one line on stderr with which it leaves with code 2; nothing is on stdout, and no traceback."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as left:
        code = left.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.count("\n") == 1 and "Traceback" not in err, err
    return err
