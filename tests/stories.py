"""Twenty-two stories with five states each, written for this project: who says what when, and what is true then.

Each story follows one attribute through half a year. Four states are told when they begin; one is told late: it began
in April and nobody said so before June. So what was true in April and what was believed in April are two things.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SAID = tuple(datetime(2026, month, day, 9, tzinfo=UTC) for month, day in ((1, 10), (3, 2), (5, 6), (6, 20)))
"""When the states that are told in time are told: January, March, May and June."""
LATE_FROM, LATE_TOLD = datetime(2026, 4, 8, 9, tzinfo=UTC), datetime(2026, 6, 3, 9, tzinfo=UTC)
"""When the late one began, and when it was told."""


@dataclass(frozen=True, slots=True)
class Story:
    """One attribute over half a year.

    Attributes:
        speaker: who tells it.
        asks: what is asked of it.
        told: the sentences of January, March, May and June.
        values: what each of them makes true.
        late: the sentence that is told in June of what began in April, and its value.
    """

    speaker: str
    asks: str
    told: tuple[str, str, str, str]
    values: tuple[str, str, str, str]
    late: tuple[str, str]


STORIES = (
    Story(
        "Ana", "Where does Ana live?",
        ("I live in Berlin.", "I moved to Lisbon.", "I moved to Madrid.", "I live in Oslo now."),
        ("Berlin", "Lisbon", "Madrid", "Oslo"), ("I live in Porto.", "Porto"),
    ),
    Story(
        "Ben", "Where does Ben work?",
        ("I work at Siemens.", "I joined Bosch.", "I work for Philips now.", "I got a job at Nokia."),
        ("Siemens", "Bosch", "Philips", "Nokia"), ("I work at Airbus.", "Airbus"),
    ),
    Story(
        "Clara", "What does Clara work as?",
        ("I work as a nurse.", "I work as a teacher.", "I now work as a baker.", "I work as a florist."),
        ("nurse", "teacher", "baker", "florist"), ("I work as a driver.", "driver"),
    ),
    Story(
        "Dora", "What is Dora's favorite color?",
        ("My favorite color is green.", "My favourite colour is purple now.", "My favorite color is orange.",
         "My favorite colour is white."),
        ("green", "purple", "orange", "white"), ("My favorite color is black.", "black"),
    ),
    Story(
        "Emil", "What is Emil's phone number?",
        ("My phone number is 555 0101.", "My phone number has changed to 555 0202.", "My new phone number is 555 0303.",
         "My phone number is 555 0404."),
        ("0101", "0202", "0303", "0404"), ("My phone number is 555 0505.", "0505"),
    ),
    Story(
        "Fay", "Who is Fay dating?",
        ("I am dating Marco.", "I'm dating Pedro now.", "I started dating Luis.", "I am dating Jonas."),
        ("Marco", "Pedro", "Luis", "Jonas"), ("I am dating Henrik.", "Henrik"),
    ),
    Story(
        "Gus", "What does Gus drive?",
        ("I drive a Volvo.", "I drive a Tesla these days.", "I drive a Fiat now.", "I drive a Toyota."),
        ("Volvo", "Tesla", "Fiat", "Toyota"), ("I drive a Renault.", "Renault"),
    ),
    Story(
        "Hana", "What is the deadline of the Orion project?",
        ("The deadline of the Orion project is 3 September.", "The deadline of the Orion project is 17 September.",
         "The deadline of the Orion project is 1 October.", "The deadline of the Orion project is 9 November."),
        ("3 September", "17 September", "1 October", "9 November"),
        ("The deadline of the Orion project is 24 September.", "24 September"),
    ),
    Story(
        "Ivo", "Who is Ivo's manager?",
        ("My manager is Olsen.", "My manager is Haddad now.", "My manager is Novak.", "My manager is Rossi."),
        ("Olsen", "Haddad", "Novak", "Rossi"), ("My manager is Petit.", "Petit"),
    ),
    Story(
        "Jun", "What diet does Jun follow?",
        ("I'm vegetarian.", "I went vegan.", "I became pescatarian.", "I am keto now."),
        ("vegetarian", "vegan", "pescatarian", "keto"), ("I'm gluten-free.", "gluten-free"),
    ),
    Story(
        "Kim", "What is Kim's favorite band?",
        ("My favorite band is Blur.", "My favorite band is Pulp now.", "My favorite band is Suede.",
         "My favorite band is Oasis."),
        ("Blur", "Pulp", "Suede", "Oasis"), ("My favorite band is Elbow.", "Elbow"),
    ),
    Story(
        "Lea", "Where is Lea's office?",
        ("My office is in Building A.", "My office is in Building C.", "My office has moved to Building F.",
         "My office is in Building K."),
        ("Building A", "Building C", "Building F", "Building K"), ("My office is in Building D.", "Building D"),
    ),
    Story(
        "Max", "What is the price of the Basic plan?",
        ("The price of the Basic plan is 10 euros.", "The price of the Basic plan is 12 euros.",
         "The price of the Basic plan is 15 euros now.", "The price of the Basic plan is 19 euros."),
        ("10", "12", "15", "19"), ("The price of the Basic plan is 14 euros.", "14"),
    ),
    Story(
        "Nia", "Who is Nia's dentist?",
        ("My dentist is Weber.", "My dentist is Costa now.", "My dentist is Lindt.", "My dentist is Moreau."),
        ("Weber", "Costa", "Lindt", "Moreau"), ("My dentist is Silva.", "Silva"),
    ),
    Story(
        "Oli", "What is Oli's email address?",
        ("My email address is oli@one.example.", "My email address is oli@two.example.",
         "My new email address is oli@three.example.", "My email address is oli@four.example."),
        ("oli@one", "oli@two", "oli@three", "oli@four"), ("My email address is oli@five.example.", "oli@five"),
    ),
    Story(
        "Pia", "What is the codename of Pia's team?",
        ("My team's codename is Falcon.", "My team's codename is Heron now.", "My team's codename is Magpie.",
         "My team's codename is Swift."),
        ("Falcon", "Heron", "Magpie", "Swift"), ("My team's codename is Robin.", "Robin"),
    ),
    Story(
        "Quinn", "What is Quinn's favorite food?",
        ("My favorite food is ramen.", "My favorite food is paella.", "My favourite food is pierogi now.",
         "My favorite food is dal."),
        ("ramen", "paella", "pierogi", "dal"), ("My favorite food is gnocchi.", "gnocchi"),
    ),
    Story(
        "Rui", "How old is Rui's daughter?",
        ("My daughter's age is 3.", "My daughter's age is 4.", "My daughter's age is 5.", "My daughter's age is 6."),
        ("3", "4", "5", "6"), ("My daughter's age is 9.", "9"),
    ),
    Story(
        "Sol", "What is Sol's job title?",
        ("My job title is junior analyst.", "My job title is senior analyst now.", "My job title is team lead.",
         "My job title is director."),
        ("junior analyst", "senior analyst", "team lead", "director"), ("My job title is principal.", "principal"),
    ),
    Story(
        "Tia", "What is Tia's Wi-Fi password?",
        ("My password is maple7.", "My password is cedar8.", "My new password is birch9.", "My password is willow3."),
        ("maple7", "cedar8", "birch9", "willow3"), ("My password is aspen5.", "aspen5"),
    ),
    Story(
        "Uwe", "What is Uwe's gym?",
        ("My gym is Ironhouse.", "My gym is Flexpoint now.", "My gym is Northside.", "My gym is Kraftwerk."),
        ("Ironhouse", "Flexpoint", "Northside", "Kraftwerk"), ("My gym is Pulsar.", "Pulsar"),
    ),
    Story(
        "Vera", "What is the status of the Atlas project?",
        ("The status of the Atlas project is planned.", "The status of the Atlas project is started.",
         "The status of the Atlas project is blocked.", "The status of the Atlas project is finished."),
        ("planned", "started", "blocked", "finished"), ("The status of the Atlas project is tested.", "tested"),
    ),
)  # fmt: skip
