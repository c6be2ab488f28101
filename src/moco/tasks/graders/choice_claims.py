"""Claims: the places of a reply that commit to a label in prose, each an end and a key, in order; the last one counts.

A claim is a label behind words that commit ('so', 'I would pick', 'points to'), before words that do ('fits best', 'is the most
plausible'), alone in being marked right in a list of verdicts, or the only one left standing in the last sentence. Words come
in classes, not phrases. A label that is struck (negated, refuted, conceded, supposed, reported, asked) is no claim.
"""

from __future__ import annotations

import re

from moco.tasks.graders.choice_final import last_sentence
from moco.tasks.graders.choice_read import HEDGE, WORD, read
from moco.tasks.graders.choice_strikes import negated, struck
from moco.tasks.graders.options import Labels

_OPTION = (
    r"options?|choices?|letter|opci[oó]n|op[cç][aã]o|opzione|alternativa?|lettre|letra|lettera|buchstabe"
    r"|antwort(?:m[oö]glichkeit)?|вариант|उत्तर|जवाब|cevap|cevab[ıi]|yan[ıi]t|ответ|jawaban|الإجابة|الجواب|đáp\s+án"
)
_COMMIT = (
    r"choos(?:e|es|ing)|chose|chosen|pick(?:s|ed|ing)?|select(?:s|ed|ing)?|go(?:es|ing)?\s+(?:for|with)|went\s+(?:for|with)"
    r"|settl(?:e|ed|ing)\s+(?:on|for)"
    r"|opt(?:ed|ing)?\s+for|land(?:ed|s|ing)?\s+on|decid(?:e|ed|ing)\s+(?:on|for)|lean(?:s|ing)?\s+(?:towards?|to)|vot(?:e"
    r"|ing)\s+for|bet\s+(?:is\s+)?on"
    r"|sid(?:e|ing)\s+with|stick(?:ing)?\s+(?:with|to)|end(?:ed)?\s+up\s+(?:with|at)|arriv(?:e|es|ed|ing)\s+at|say"
    r"|guess(?:ing)?|mark(?:ing)?|circle|tick"
    r"|answer(?:ing)?|conclud(?:e|es|ing)|confident\s+(?:in|of|about|with)|sure\s+(?:of|about)|in\s+favou?r\s+of|selecciono"
    r"|elijo|wähle|choisis|scelgo|escolho"
)
_SHOW = (
    r"(?:gives?|leaves?|leaving|makes?|making|means?|indicat(?:es?|ing)|suggest(?:s|ing)?|support(?:s|ing)?|favou?r(?:s|ing)?"
    r"|impl(?:y|ies|ying)|match(?:es|ing)?"
    r"|identif(?:y|ies)|says|reads|yields?|confirms?|points?(?:\s+(?:clearly|strongly|us))?\s+(?:to|towards?|at)"
    r"|pointing\s+(?:to|towards?)|leads?(?:\s+us)?\s+to|leading(?:\s+us)?\s+to"
    r"|correspond(?:s|ing)?\s+(?:to|with)|comes?\s+down\s+to|boils?\s+down\s+to|narrows?(?:\s+\w+)?\s+down\s+to"
    r"|left(?:\s+only)?\s+with|leaves?(?:\s+us)?\s+(?:only\s+)?with|brings?\s+us\s+to)"
    r"(?:\s+(?:us|me|it|only|just))*"
)
_CLAIM = re.compile(
    rf"""(?:(?:选项|選項|选择|選擇|选|選)\s*(?:[:：]|是|为|為)?
        |(?<![^\W_])(?:{_OPTION})(?:\s+(?:corr?ett?a|correct[ae]?|richtige))?
            (?:\s+(?:number|here\s+(?:is|are)|is|are|would\s+be|should\s+be|must\s+be|es|est|è|é
            |ist)(?:\s+l[ae]\b)?)?\s*(?:[:=—–]|->|→|⇒|-(?=\s|[A-Z]\b))?
        |(?<!\w)(?:hence|so|thus|therefore|only|it(?:'s|\s+is|\s+must\s+be|\s+has\s+to\s+be|\s+should\s+be|\s+would\s+be
        |\s+can\s+only\s+be)|that\s+is
            |(?:it|that|this|which|he|she)(?:['’]s|\s+is)\s+(?:clearly|obviously|definitely|surely|probably|likely|really
            |simply|just|most\s+likely|then|therefore|thus)
            |(?:that|this|which|answer)['’](?:s|d\s+be)|(?:that|this|which)\s+(?:one\s+)?(?:is|would\s+be)
            |(?:right|correct|best|true|likely)\s+(?:one|statement|choice|pick|guess|bet)\s+(?:is|was|must\s+be|would\s+be)
            |(?:pick|guess|bet|vote|consensus|majority|verdict|preference|selection|conclusion)\s+(?:is|would\s+be|goes\s+to
            |falls\s+on)
            |(?:es|c'est|è|é)\s+(?:l[ae]|el)|richtig\s+(?:ist|w[aä]re)
            |{_COMMIT}|{_SHOW}
            |(?:by\s+(?:the\s+)?(?:process\s+of\s+)?elimination|(?<![^.!?:\n]\s)(?<![^\s*(])(?:most\s+|very\s+
            |quite\s+)?(?:likely|probably|definitely|certainly|clearly|surely|obviously))
            |(?:not|n't)\s+(?:option\s+)?["'(*]*\w{{1,4}}[)"'*]*,?\s+(?:but|rather)(?:\s+rather)?)
            \s*(?:[:,]|[-–—](?=\s))?
        |(?:(?<=\n)|\A|(?<=[.:!?,)]\s))[ \t*]*(?:=>|->|→|⇒|⟹|∴|➡️?|✅|✓|✔️?))
        (?:\s+(?:the|option|choice|letter|answer|statement|is|it|must|be|i|would|say|we|have|pick|choose|go|with|of|that)){{0,6}}(?=[\s("'*\[:]|[A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_GOOD = (
    r"correct[ae]?|right|answer|best|true|appropriate|fitting|plausible|suitable|likely|accurate|sound|reasonable|supported"
    r"|consistent|expected|intended|keyed"
    r"|choice|pick|guess|match|fit|winner|better|stronger|strongest|superior|closest|richtig|korrekt|juste|corr?ett?a"
)
_ADVERB = (
    r"(?!(?:part(?:ly|ially)|hardly|barely|scarcely|rarely|equally|only\s+part)\b)(?:\w+ly|thus|therefore|indeed|also|still"
    r"|by\s+far|quite|very|the|la|die|a|my|our|most|more"
    r"|single|one|option|choice|statement|answer|better|to\s+be)"
)
_IS_RIGHT = re.compile(
    rf"""(?<!\w)(?P<l>\w{{1,4}})[)\]*"'.:]*\s+
    (?:(?:is|are|were|must\s+be|should\s+be|has\s+to\s+be|seems|looks|appears|sounds|feels|ist|est|es|è|é)\s+
        (?:(?:both|all|{_ADVERB})\s+){{0,5}}(?:{_GOOD}|what\s+(?:we|you|they|the\s+question|remains|is\s+left)\b)\b
      |would\s+be\s+(?:(?:{_ADVERB}|right|correct|best)\s+){{0,5}}(?:answer|choice|option|pick|guess|best|winner|match|fit
      |(?:right|correct|best)(?=[.!]?\s*\Z))
      |(?:the|my|our)\s+(?:(?:right|correct|best|final)\s+)?(?:choice|answer|option|one)\b
      |(?:[a-z]+ly\s+)?(?:explains|remains|captures|satisfies|agrees|answers|meets|survives|qualifies|aligns|suits|prevails
      |accounts\s+for|makes\s+(?:the\s+most\s+)?sense)\b
        (?![^.;\n]{{0,60}}\b(?:but|not|only|part(?:ly|ially)?|neither|nothing)\b)
      |(?:[a-z]+ly\s+)?(?:fits|works|matches|holds|applies|wins|follows|stands)\b(?=\s*(?:best|better|well|true|here|out|[.!\n]
      |$))
      |(?:best|better|correctly|accurately|most\s+(?:closely|accurately|directly))\s+[a-z]{{2,}}s\b
      |[a-z]{{2,}}s\s+(?:(?:it|this|that|them|the\s+\w+)\s+)?(?:best|most\s+accurately|most\s+closely|correctly|perfectly)\b)
    (?!\s+(?:if|only|except|unless)\b|,?\s+but\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMED_BY = re.compile(
    r"(?<!\w)(?:descriptions?|statements?|definition|explanation|formula|value|text|claim|sentence|expression"
    r"|one)\s+(?:given\s+|stated\s+)?(?:in|under|at|of)\s+"
    r"(?:option\s+)?[(*\"]*(?P<l>\w{1,4})[)*\"]*\s+(?:is|must\s+be|seems)\s+(?:the\s+)?(?:\w+ly\s+)?(?:accurate|correct|right"
    r"|true|best)\b",
    re.IGNORECASE,
)
_LISTING = re.compile(r"(?:options|choices)\s*:?\s*", re.IGNORECASE)
"""'Options A and B', 'the options: A) ...': which there are, not which are right."""
_RIGHT_ONES = re.compile(r"(?:correct|right|true|selected|final|chosen)\s*\Z", re.IGNORECASE)
_NOUN_ALONE = re.compile(r"(?:options?|choices?)\s*", re.IGNORECASE)
_GOES_ON = re.compile(r"[)\]*\"']*(?::|\s+[a-z])")
_LIST_BEFORE = re.compile(r"(?:(?<!\w)[A-Z0-9]{1,2}[)*]*(?:\s*,\s*(?:and\s+)?|\s+and\s+)[(*]*)+$")
_OR_BEFORE = re.compile(r"(?<!\w)(?P<l>[A-Z0-9]{1,2})[)*\"']*,?\s+or\s+[(*\"']*$")
_ROW = re.compile(
    r"[ \t*_#>|\-`\"'(•]*(?:\[(?P<box>[ xX✓])\]\s*)?(?:(?P<mark>[✓✔✅☑✗✘❌])\ufe0f?\s*)?(?:(?:option|choice"
    r"|statement)\s+)?[(\[*_`]*",
    re.IGNORECASE,
)
_GOOD_BAD = (
    r"(?:(?P<good>[✓✔✅☑]|(?:correct|right|true|yes|valid|accurate)\b)"
    r"|(?P<bad>[✗✘❌]|[xX×](?!\w)|(?:incorrect|wrong|false|no|not|invalid|inaccurate|eliminated?|ruled\s+out|out|unlikely"
    r"|impossible)\b))"
)
_VERDICT = re.compile(
    r"[\s)\]*_\"'.:;,|–—=(>-]*(?:(?:this|that|it|option|statement)\s+)?"
    r"(?:(?:is|are|was|were)\s+|'s\s+)?(?:(?:also|clearly|both|all|the|[a-z]+ly)\s+)*" + _GOOD_BAD,
    re.IGNORECASE,
)
_LATER = re.compile(r"(?:[-–—:|(]\s?|\s(?=[✓✔✅☑✗✘❌]))" + _GOOD_BAD + r"\ufe0f?[.!)*|\s]*\Z", re.IGNORECASE)
_PARTS = re.compile(r"\n+|(?<=\w\w[.;!])\s+(?=[(*]*[A-Z0-9])")


def last_claim(body: str, labels: Labels, after: int) -> tuple[str, int] | None:
    """The last claim that stands behind ``after``: (key or HEDGE, end)."""
    claims = [claim for claim in (_behind_words(body, labels, after), _before_words(body, labels, after)) if claim is not None]
    best = max(claims, key=lambda claim: claim[1], default=None)
    if best is None and not after and (marked := _verdicts(body, labels)):
        return marked
    final = last_sentence(body, labels, after, alone=best is None)
    return final if final is not None and (best is None or final[1] > best[1]) else best


def _behind_words(body: str, labels: Labels, after: int) -> tuple[str, int] | None:
    looked_at: list[tuple[str, int]] = []
    claim: tuple[str, int] | None = None
    hits = [(m, hit) for m in _CLAIM.finditer(body, after) if (hit := read(body, m.end(), labels, texts=False))]
    for m, hit in sorted(hits, key=lambda pair: -pair[1][1]):  # a label with its text ends behind what the text says
        if _LISTING.fullmatch(m[0]) and not _RIGHT_ONES.search(body, max(0, m.start() - 12), m.start()):
            continue
        if not negated(body, m.start()) and not struck(body, m.end(), hit[1]):
            if not _NOUN_ALONE.fullmatch(m[0]) or not (_GOES_ON.match(body, hit[1]) or body.startswith("(", m.start() - 1)):
                claim = hit
                break
            looked_at.append(hit)
    if len({key for key, _ in looked_at}) == 1:  # 'option A says this, option B that' goes through them
        return looked_at[0]
    return claim


def _before_words(body: str, labels: Labels, after: int) -> tuple[str, int] | None:
    found = sorted((m for pattern in (_IS_RIGHT, _NAMED_BY) for m in pattern.finditer(body, after)), key=lambda m: m.start("l"))
    for m in reversed(found):
        i = labels.look_up(m["l"])
        start = m.start("l")
        if i is None or (m["l"].islower() and m["l"] in ("a", "i")) or struck(body, start, m.end("l")):
            continue
        either = _OR_BEFORE.search(body, max(0, start - 12), start)
        if either and labels.look_up(either["l"]) not in (None, i):
            return HEDGE, m.end("l")
        listed = _LIST_BEFORE.search(body, max(0, start - 60), start)
        others = [labels.look_up(word[0]) for word in WORD.finditer(listed[0])] if listed else []
        together = [other for other in others if other is not None] if i not in others else []
        return labels.join([i, *together]), m.end("l")
    return None


def _verdicts(body: str, labels: Labels) -> tuple[str, int] | None:
    """The one option marked right where others are marked wrong, a line or a short sentence each."""
    good: set[int] = set()
    bad: set[int] = set()
    end = at = 0
    for part in _PARTS.split(body):
        at = body.index(part, at)
        row = _ROW.match(part)
        word = WORD.match(part, row.end()) if row else None
        if row is None or word is None or labels.look_up(word[0]) is None:
            continue
        hit = read(part, word.start(), labels, texts=False)
        told = _told(part, row, hit[1]) if hit and hit[0] != HEDGE else None
        if hit is not None and told is not None:
            (good if told else bad).update(labels.index[name] for name in hit[0].split(",") if name in labels.index)
            end = at + word.end()
    return (labels.names[good.pop()], end) if len(good) == 1 and bad and not good & bad else None


def _told(part: str, row: re.Match[str], end: int) -> bool | None:
    """Whether the row of an option marks it as right (True) or wrong (False), in front of its label or behind it."""
    if row["box"] or row["mark"]:
        return (row["box"] or row["mark"]) in "xX✓✔✅☑"
    said = _VERDICT.match(part, end)
    if said is not None:
        return said["good"] is not None
    later = _LATER.search(part, end)
    return None if later is None else later["good"] is not None
