"""A table read as a plain model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.diagram.model import CYCLE, Kind, Weight, diagram_of
from states.table import FINAL, INITIAL, TABLE, Transition
from states.vocabulary import StopReason

names = st.sampled_from("ABCDEFGH")
tables = st.lists(
    st.builds(Transition, names, st.sampled_from(["go", "failed"]), st.sampled_from([None, "may"]), names, st.just("so")),
    max_size=30,
)


def row(source: str, dest: str, trigger: str = "go") -> Transition:
    return Transition(source, trigger, None, dest, "why")


def test_the_built_in_lifecycle_reads_along_its_main_way() -> None:
    diagram = diagram_of()
    order = ["NEW", "DETECT", "CREATE", "RUN", "END", "CONTINUE", "SHUTDOWN"]
    assert [node.name for node in diagram.nodes] == order
    main = [(edge.source, edge.dest) for edge in diagram.edges if edge.weight is Weight.MAIN]
    assert main == [*zip(order[:5], order[1:6], strict=True), ("CONTINUE", "DETECT")]


def test_initial_and_final_states_are_those_that_the_machine_has() -> None:
    kinds = {node.name: node.kind for node in diagram_of().nodes}
    assert {name for name, kind in kinds.items() if kind is Kind.INITIAL} == {INITIAL}
    assert {name for name, kind in kinds.items() if kind is Kind.FINAL} == set(FINAL)


def test_the_states_that_come_round_again_are_a_group() -> None:
    grouped = {node.name for node in diagram_of().nodes if node.group == CYCLE}
    assert grouped == {"DETECT", "CREATE", "RUN", "END", "CONTINUE"}


def test_the_final_state_names_the_stop_reasons_in_order_of_precedence() -> None:
    assert diagram_of().node("SHUTDOWN").reasons == tuple(StopReason)


def test_ways_that_only_a_failure_or_a_stop_takes_are_aside() -> None:
    aside = {(edge.source, edge.dest) for edge in diagram_of().edges if edge.weight is Weight.ASIDE}
    assert aside == {("CREATE", "END"), ("CONTINUE", "SHUTDOWN")}


def test_rows_between_the_same_two_states_are_one_edge_in_the_tables_order() -> None:
    edge = next(edge for edge in diagram_of().edges if (edge.source, edge.dest) == ("DETECT", "END"))
    assert [str(arrow) for arrow in edge.arrows] == ["detected [has_nothing_to_do]", "failed", "stop_requested"]


def test_a_host_names_its_own_groups() -> None:
    diagram = diagram_of([row("A", "B"), row("B", "A"), row("B", "C")], groups={"C": "the end"})
    assert [(node.name, node.group) for node in diagram.nodes] == [("A", None), ("B", None), ("C", "the end")]


def test_two_loops_are_two_groups() -> None:
    diagram = diagram_of([row("A", "B"), row("B", "A"), row("B", "C"), row("C", "D"), row("D", "C"), row("D", "E")])
    assert [node.group for node in diagram.nodes] == [f"{CYCLE} 1"] * 2 + [f"{CYCLE} 2"] * 2 + [None]


def test_a_branch_comes_before_what_both_its_arms_lead_to() -> None:
    table = [row("A", "B"), row("A", "C", "else"), row("B", "D"), row("C", "D")]
    assert [node.name for node in diagram_of(table).nodes] == ["A", "B", "C", "D"]


def test_a_way_aside_does_not_tear_the_main_way_apart() -> None:
    """What fails early leads far ahead, from where a way leads back between: seen from there the rest comes first."""
    table = [row(f"S{n}", f"S{n + 1}") for n in range(8)]
    table += [row("S0", "S6", "failed"), row("S7", "S3", "again"), row("S2", "HELP", "failed"), row("HELP", "S8")]
    order = [node.name for node in diagram_of(table).nodes]
    assert [name for name in order if name != "HELP"] == [f"S{n}" for n in range(9)]
    assert order.index("S2") < order.index("HELP") < order.index("S8")


def test_a_ring_that_nothing_leads_into_is_drawn_all_the_same() -> None:
    assert {node.name for node in diagram_of([row("A", "B"), row("X", "Y"), row("Y", "X")]).nodes} == set("ABXY")


def test_an_empty_table_is_an_empty_diagram() -> None:
    assert diagram_of([]).nodes == diagram_of([]).edges == ()


@given(tables)
def test_every_row_is_in_the_diagram_exactly_once(table: list[Transition]) -> None:
    diagram = diagram_of(table)
    drawn = [
        Transition(edge.source, arrow.trigger, arrow.guard, edge.dest, arrow.why)
        for edge in diagram.edges
        for arrow in edge.arrows
    ]
    assert sorted(map(str, drawn)) == sorted(map(str, table))
    assert sorted(node.name for node in diagram.nodes) == sorted({s for r in table for s in (r.source, r.dest)})


def test_a_long_chain_is_no_matter() -> None:
    table = [row(f"S{n}", f"S{n + 1}") for n in range(3_000)]
    assert [node.name for node in diagram_of(table, groups={}).nodes] == [f"S{n}" for n in range(3_001)]


def test_the_built_in_table_is_what_is_drawn_unless_told_otherwise() -> None:
    assert sum(len(edge.arrows) for edge in diagram_of().edges) == len(TABLE)
