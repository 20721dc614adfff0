"""Patterns of days: in digits, and with the month in words in five languages."""

from __future__ import annotations

MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|"
    "nov|dec|januar|jänner|februar|märz|mai|juni|juli|oktober|dezember|okt|dez|mrz|janvier|février|fevrier|mars|avril|juin|juillet|"
    "août|aout|septembre|octobre|novembre|décembre|decembre|janv|févr|gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|"
    "settembre|ottobre|dicembre|enero|febrero|abril|mayo|junio|julio|septiembre|setiembre|octubre|noviembre|diciembre")
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
YEAR = r"(?:(?:19|20)\d\d|['’]\d\d)"
DATES = (
    rf"(?<![\d.,/\-]){DAY}\s?[./\-]\s?(?:0?[1-9]|1[0-2])\s?[./\-]\s?(?:(?:19|20)\d\d|\d\d)(?![\d]|[.,/\-]\d)",
    rf"(?<![\d.,/\-])(?:0?[1-9]|1[0-2])[./\-]{DAY}[./\-](?:(?:19|20)\d\d|\d\d)(?![\d]|[.,/\-]\d)",
    rf"(?<![\d.,/\-])(?:19|20)\d\d[./\-](?:0?[1-9]|1[0-2])[./\-]{DAY}(?!\d)",
    r"(?<![\d.,])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.(?!\d)",
    rf"(?i)(?<![\w.,]){DAY}(?:st|nd|rd|th|er|º|°|\.)?\s?(?:of|de|d['’])?\s?(?:{MONTHS})\b\.?(?:,?\s?(?:de|del)?\s?{YEAR})?",
    rf"(?i)(?<!\w)(?:{MONTHS})\.?\s{DAY}(?:st|nd|rd|th)?\b(?:,?\s{YEAR})?(?![.,]?\d)",
    rf"(?i)(?<!\w)(?:{MONTHS})\.?,?\s(?:de\s|del\s)?(?:19|20)\d\d(?!\d)")
