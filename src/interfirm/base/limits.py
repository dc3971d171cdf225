"""Every limit in one place (house manner 4): what a network agrees on, and what each node has for itself."""

from __future__ import annotations

import msgspec


class AgreedLimits(msgspec.Struct, frozen=True):
    """Bounds of what organisations do together; a notary's governance may lower or raise them."""

    message_bytes_max: int = 4 * 1024 * 1024
    """One encoded block or message between nodes."""
    depth_max: int = 48
    """Nesting of one block."""
    transaction_bytes_max: int = 1024 * 1024
    """One transaction, encoded whole."""
    entries_count_max: int = 1024
    """Entries (and so actions) of one transaction."""
    action_depth_max: int = 16
    """Nesting of actions below a top action."""
    lines_count_max: int = 64
    """Listed signatures of one transaction."""
    parties_count_max: int = 64
    """Parties of one contract in each role."""
    claims_count_max: int = 32
    """Claims of one created contract."""
    fields_count_max: int = 128
    """Fields of a template."""
    payload_bytes_max: int = 256 * 1024
    """One contract's payload, encoded."""
    text_chars_max: int = 65_536
    """One text or byte string made inside contract code."""
    items_count_max: int = 65_536
    """One list, tuple or map made inside contract code."""
    integer_bits_max: int = 256
    """One integer inside contract code; stored integers have 64 bits signed."""
    fuel_steps_max: int = 2_000_000
    """Metered steps of one interpretation."""
    window_ms_max: int = 30 * 24 * 3600 * 1000
    """How far a transaction's upper bound may lie ahead of the notary's time."""
    registry_age_ms_max: int = 24 * 3600 * 1000
    """How old a registry proof may be that a solo or channel notary relies on."""
    sealed_bytes_max: int = 512 * 1024
    """Sealed views kept beside one transaction."""
    sealed_keep_ms: int = 90 * 24 * 3600 * 1000
    """How long sealed views are kept."""
    subscriptions_count_max: int = 10_000
    """Open subscriptions of one identity."""
    requests_per_minute_max: int = 60_000
    """Requests a notary takes from one identity in a minute."""
    history_count_max: int = 10_000
    """Transactions in one history bundle."""
    attachment_bytes_max: int = 64 * 1024 * 1024
    """One attached file."""
    name_chars_max: int = 256
    """A legal name in a certificate or directory entry."""
    certificate_bytes_max: int = 16 * 1024
    """One certificate or certificate request."""
    chain_count_max: int = 4
    """Certificates of one chain, without its root."""
    endpoints_count_max: int = 8
    """Addresses and roles of one directory entry."""
    rotations_count_max: int = 64
    """Key rotations of one identity."""
    directory_count_max: int = 100_000
    """Entries of one directory."""
    key_memory_bytes_max: int = 1024 * 1024 * 1024
    """Memory that opening a key store may take."""
    topic_chars_max: int = 64
    """The topic of a message between nodes."""
    outbox_count_max: int = 16_384
    """Messages that wait for one peer."""
    outbox_bytes_max: int = 256 * 1024 * 1024
    """Bodies of the messages that wait for one peer."""
    window_count_max: int = 64
    """Messages on their way to one peer that it has not acknowledged."""
    window_bytes_max: int = 8 * 1024 * 1024
    """Bodies on their way to one peer; one message may always travel."""
    useless_frames_per_second_max: int = 5_000
    """Frames in a second from one peer that bring nothing new."""
    retry_ms_min: int = 500
    """Time until a message without acknowledgement is sent again; doubles each time."""
    retry_ms_max: int = 30_000
    """Longest time between two attempts to reach a peer."""
    quarantine_ms: int = 60_000
    """How long a peer is not heard that broke the session's rules."""
    frame_head_bytes_max: int = 1024
    """The head of a frame between nodes, without its body."""
    frame_chunk_bytes: int = 64 * 1024
    """Step in which a body is read and written, so that a large one is never copied whole."""
    send_queue_count_max: int = 1024
    """Frames that wait for one connection's socket."""
    connections_count_max: int = 1024
    """Connections of one node."""
    connections_per_host_count_max: int = 64
    """Accepted connections from one address."""
    handshake_ms_max: int = 10_000
    """From accepted connection to verified peer."""
    heartbeat_ms: int = 10_000
    """Silence after which a connection is probed."""
    stall_ms_max: int = 30_000
    """Silence, or one chunk not moving, after which a connection is given up."""
    control_message_bytes_max: int = 16 * 1024 * 1024
    """One request or answer on a node's control socket."""
    control_connections_count_max: int = 256
    """Programs that talk to one control socket at once."""
    moves_count_max: int = 64
    """Moves of one contract from notary to notary."""
    payload_depth_max: int = 24
    """Nesting of one payload, argument or result."""
    source_bytes_max: int = 256 * 1024
    """Source of one contract module."""
    source_nodes_count_max: int = 50_000
    """Parts (nodes of the syntax tree) of one contract module."""
    source_depth_max: int = 100
    """Nesting of the parts of one contract module."""
    call_depth_max: int = 64
    """Nesting of calls between functions of contract code."""
    xml_bytes_max: int = 16 * 1024 * 1024
    """One XML document, before it is parsed."""
    xml_depth_max: int = 64
    """Nesting of elements in one XML document."""
    xml_elements_count_max: int = 250_000
    """Elements of one XML document."""
    xml_number_chars_max: int = 34
    """One decimal number in a document, as written."""
    findings_count_max: int = 100
    """Findings listed of one rule in one judged document."""
    components_count_max: int = 16
    """Later components of one transaction."""
    notary_batch_count_max: int = 256
    """Requests that a notary judges and commits at once."""
    notary_queue_count_max: int = 8_192
    """Requests that wait at a notary."""
    tells_count_max: int = 256
    """What a subscriber is told in one answer."""
    attachment_piece_bytes: int = 256 * 1024
    """Step in which an attached file travels between nodes."""
    envelope_requests_count_max: int = 256
    """Requests to a cluster in one signed envelope."""
    envelope_bytes_max: int = 2 * 1024 * 1024
    """One signed envelope, encoded."""
    envelope_life_ms_max: int = 120_000
    """How far an envelope's end may lie ahead of a cluster's time; ids are remembered that long."""
    block_requests_count_max: int = 8_192
    """Requests in one block of a cluster."""
    envelopes_known_count_max: int = 16_384
    """Envelopes whose signatures a validator remembers as verified until they are judged."""
    validators_count_max: int = 128
    """Validators of one cluster, as its receipts show them."""
    receipt_bytes_max: int = 1024 * 1024
    """One receipt or proof of a cluster's state, encoded."""
    receipt_walk_count_max: int = 64
    """Headers from a cluster's trust anchor to the one that a receipt stands on."""
    clock_drift_ms_max: int = 10_000
    """How far a header's time may lie ahead of the reader's clock."""
    proposal_actions_count_max: int = 64
    """Actions of one proposal to a notary's governance."""
    proposals_open_count_max: int = 64
    """Proposals that are voted on at one time."""
    proposal_life_ms_max: int = 30 * 24 * 3600 * 1000
    """How far a proposal's end may lie ahead of the notary's time."""
    voters_count_max: int = 128
    """Organisations that vote on a notary's proposals."""
    page_count_max: int = 25
    """Items of one page of an answer."""
    notaries_count_max: int = 64
    """Other notaries that a notary's voters ever trusted."""


class Limits(AgreedLimits, frozen=True):
    """The same, and the bounds of a node's own doors, jobs and people, which are nobody else's affair."""

    token_lifetime_ms_max: int = 366 * 24 * 3600 * 1000
    """How long a token that a person or program shows at a node's doors may be valid."""
    held_messages_count_max: int = 10_000
    """Messages of peers that a paused node keeps until it goes on."""
    approval_lines_count_max: int = 200
    """Lines of a firm's approval matrix."""
    approval_life_ms_max: int = 30 * 24 * 3600 * 1000
    """How long something waits for approvals before it has to be asked for again."""
    http_connections_count_max: int = 2_000
    """Connections that a node's HTTP door holds at one time, those of subscribers included."""
    http_body_bytes_max: int = 1024 * 1024
    """The body of one request over HTTP, files aside."""
    http_depth_max: int = 32
    """Nesting of one JSON body or parameter over HTTP."""
    http_head_bytes_max: int = 32 * 1024
    """All headers of one request over HTTP."""
    http_target_bytes_max: int = 8 * 1024
    """Path and query of one request over HTTP."""
    http_stall_ms_max: int = 20_000
    """Silence within the body of a request over HTTP after which it is given up."""
    http_body_ms_max: int = 600_000
    """From the first to the last byte of the body of a request over HTTP."""
    http_wait_ms_max: int = 60_000
    """How long a request over HTTP may wait for its flow to end."""
    idempotency_key_chars_max: int = 100
    """An idempotency key of a request over HTTP."""
    idempotency_keep_ms: int = 48 * 3600 * 1000
    """How long the answer to an idempotency key is kept."""
    pattern_chars_max: int = 256
    """A pattern or search in a filter."""
    pattern_wildcards_max: int = 8
    """Signs for any text in one pattern."""
    filter_depth_max: int = 16
    """Nesting of one filter."""
    filter_parts_count_max: int = 256
    """Comparisons and groups of one filter."""
    search_words_count_max: int = 16
    """Words of one search."""
    indexed_words_count_max: int = 2_000
    """Different words of one contract that a search finds."""

    password_chars_min: int = 12
    """A password of a local account."""
    password_bytes_max: int = 1024
    """A password, encoded."""
    sign_in_delay_ms_max: int = 15 * 60 * 1000
    """Longest time until the next attempt to sign in after many that failed."""
    invitation_lifetime_ms_max: int = 14 * 24 * 3600 * 1000
    """How long a code may be valid by which a person sets a password."""
    session_lifetime_ms_max: int = 12 * 3600 * 1000
    """How long somebody stays signed in."""
    session_idle_ms_max: int = 30 * 60 * 1000
    """How long somebody stays signed in who does nothing."""
    sessions_count_max: int = 20
    """Sessions of one person at one time."""
    sign_in_ms_max: int = 10 * 60 * 1000
    """How long signing in by a provider or a passkey may take."""
    passkeys_count_max: int = 20
    """Passkeys of one person."""
    provider_answer_bytes_max: int = 256 * 1024
    """One answer of an OpenID provider."""
    provider_answer_ms_max: int = 10_000
    """How long an OpenID provider may take for an answer."""
    table_rows_count_max: int = 1_000_000
    """Rows of one imported table, the header aside."""
    table_columns_count_max: int = 500
    """Columns of one imported table."""
    table_cell_chars_max: int = 32_767
    """One cell of a table; what a spreadsheet can hold."""
    table_line_chars_max: int = 1024 * 1024
    """One line of a table in CSV."""
    table_parts_count_max: int = 1_000
    """Parts of a table's XLSX package."""
    table_unpacked_bytes_max: int = 512 * 1024 * 1024
    """All parts of a table's XLSX package, unpacked."""
    table_strings_bytes_max: int = 64 * 1024 * 1024
    """The texts that the cells of a table's XLSX package share, unpacked; they are held in memory."""
    export_bytes_max: int = 8 * 1024 * 1024 * 1024
    """The file that one export writes."""
    job_errors_count_max: int = 1_000
    """Errors of rows that one job keeps; it counts the others."""
    job_batch_rows_count_max: int = 200
    """Rows that a job puts into one transaction."""
    job_flows_count_max: int = 16
    """Flows of one job that are under way at one time."""
    jobs_running_count_max: int = 64
    """Jobs of one node that are under way at one time."""
    changes_count_max: int = 1_000_000
    """Entries of a node's log of changes; older ones go."""
    changes_page_count_max: int = 500
    """Entries of that log in one answer."""
    http_streams_count_max: int = 2_000
    """Programs that follow a node's changes over HTTP at one time."""
    webhooks_count_max: int = 64
    """Webhooks of one node."""
    webhook_wait_ms_max: int = 10_000
    """How long the receiver of a webhook may take to answer."""
    webhook_retry_ms_max: int = 3_600_000
    """Longest time between two attempts to deliver a webhook."""
    webhook_give_up_ms: int = 3 * 24 * 3600 * 1000
    """How long a webhook is tried that does not get through before it is stopped."""
    graphql_query_bytes_max: int = 64 * 1024
    """The text of one GraphQL query."""
    graphql_tokens_count_max: int = 8_000
    """Words and signs of one GraphQL query."""
    graphql_depth_max: int = 15
    """Nesting of the fields of one GraphQL query."""
    graphql_fields_count_max: int = 500
    """Fields of one GraphQL query, those of fragments wherever they are used."""
    graphql_roots_count_max: int = 30
    """Things that one GraphQL query asks at once."""
    graphql_cost_max: int = 50_000
    """Fields that one GraphQL query may show: each as often as the lists around it have rows."""
    graphql_kept_count_max: int = 1_000
    """GraphQL queries that are kept parsed and validated."""
    graphql_schemas_count_max: int = 64
    """GraphQL schemas, one for each set of roles, that are kept."""
    graphql_subscriptions_count_max: int = 2_000
    """GraphQL subscriptions that are open at one node."""
    graphql_operations_count_max: int = 64
    """GraphQL subscriptions of one connection."""

    archive_transactions_count_max: int = 1_000
    """Transactions of one archive; they leave the vault in one commit."""
    archive_record_bytes_max: int = 64 * 1024 * 1024
    """One transaction in an archive, with all that it made."""
    holds_count_max: int = 1_000
    """Legal holds of one node, released ones included."""
    retention_days_max: int = 36_600
    """The longest time after which a retention rule lets something go; for ever is longer."""
    retention_days_min: int = 1
    """The shortest one: books are compared at a time that lies a while ago."""


LIMITS = Limits()
