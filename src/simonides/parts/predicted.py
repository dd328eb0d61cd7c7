"""Predict what a person would ask to get a statement: templates over its attribute; knows no memory and no text."""

from __future__ import annotations

from simonides.parts.statements import Statement

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "home": ("Where does {s} live?", "Which city is {s} in?"),
    "employer": ("Where does {s} work?", "Who does {s} work for?"),
    "job": ("What does {s} do for a living?", "What is {o} job?"),
    "diet": ("What does {s} eat?", "What is {o} diet?"),
    "spouse": ("Who is {s} married to?",),
    "partner": ("Who is {s} dating?",),
    "marital status": ("Is {s} married?",),
    "age": ("How old is {s}?",),
    "birthplace": ("Where was {s} born?",),
    "birthday": ("When was {s} born?", "When is {o} birthday?"),
    "origin": ("Where is {s} from?",),
    "allergy": ("What is {s} allergic to?",),
    "name": ("What is {o} name?",),
    "likes": ("What does {s} like?", "Does {s} like {v}?"),
    "goal": ("What does {s} want to do?", "What are {o} goals?"),
    "plan": ("What does {s} plan to do?",),
    "decision": ("What did {s} decide on?",),
    "drives": ("What does {s} drive?",),
    "studies": ("What does {s} study?",),
    "speaks": ("Which languages does {s} speak?",),
    "uses": ("What does {s} use?",),
    "learned": ("What did {s} learn?",),
    "has": ("What does {s} have?", "Does {s} have {v}?"),
    "is": ("What is {s}?",),
}
DISLIKED = ("What does {s} dislike?", "Does {s} like {v}?")


def asked_for(says: Statement) -> tuple[str, ...]:
    """Return the questions that a statement answers, the most likely first; none for a verb without a template."""
    if says.attribute == "likes" and says.negated:
        templates = DISLIKED
    elif says.attribute in _TEMPLATES:
        templates = _TEMPLATES[says.attribute]
    elif says.single:
        templates = ("What is {o} " + says.attribute + "?",)
    else:
        return ()
    subject = says.subject
    subject = f"the {subject[4:]}" if subject.startswith("The ") else subject
    owner = f"{subject}'" if subject.endswith("s") else f"{subject}'s"
    values = {"s": subject, "o": owner if subject else "the", "v": says.value}
    return tuple(one.format(**values) for one in templates if subject or "{s}" not in one)
