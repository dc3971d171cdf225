"""Where an invoice stands, and what its buyer may say to it."""

from __future__ import annotations

from interfirm.contracts.language import Code, Private, Record


class InvoiceStatus(Code):
    """Where the document stands; in brackets the code of Peppol's invoice response."""

    ISSUED = "issued"
    RECEIVED = "received"
    """AB."""
    IN_PROCESS = "in-process"
    """IP."""
    QUERIED = "queried"
    """UQ."""
    COND_ACCEPTED = "conditionally-accepted"
    """CA."""
    ACCEPTED = "accepted"
    """AP."""
    REJECTED = "rejected"
    """RE."""
    WRITTEN_OFF = "written-off"


OPEN = (
    InvoiceStatus.ISSUED,
    InvoiceStatus.RECEIVED,
    InvoiceStatus.IN_PROCESS,
    InvoiceStatus.QUERIED,
    InvoiceStatus.COND_ACCEPTED,
)
"""In these the buyer has not decided."""
UNANSWERED = (InvoiceStatus.ISSUED, InvoiceStatus.RECEIVED, InvoiceStatus.IN_PROCESS)
"""The way of an invoice that meets no objection, in order."""


class Reason(Code):
    """Why a buyer objects (Peppol BIS 63, OPStatusReason)."""

    NONE = "NON"
    REFERENCES = "REF"
    LEGAL = "LEG"
    RECEIVER = "REC"
    QUALITY = "QUA"
    DELIVERY = "DEL"
    PRICE = "PRI"
    QUANTITY = "QTY"
    ITEM = "ITM"
    PAYMENT = "PAY"
    UNRECOGNISED = "UNR"
    FINANCING = "FIN"
    PARTIALLY_PAID = "PPD"
    OTHER = "OTH"


class Action(Code):
    """What a buyer asks for (Peppol BIS 63, OPStatusAction)."""

    NONE = "NOA"
    PROVIDE_INFORMATION = "PIN"
    NEW_INVOICE = "NIN"
    CREDIT_FULLY = "CNF"
    CREDIT_PARTIALLY = "CNP"
    CREDIT_AMOUNT = "CNA"
    OTHER = "OTH"


class Objection(Record):
    """What the buyer objects to, until the seller has dealt with it."""

    reason: Reason
    """Why."""
    action: Action = Action.NONE
    """What is asked for."""
    dealt_with: bool = False
    """Whether the seller has answered or credited since."""
    note: Private[str] | None = None
    """In words."""
