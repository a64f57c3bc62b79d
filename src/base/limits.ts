/** Every bound of the system in one place: what a client, a peer or a disk sends is held to these. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Longest key, in bytes of UTF-8. The shortest has one byte. */
export const KEY_BYTES_MAX = 4 * KIB;

/** Largest value, in bytes of JSON text. */
export const VALUE_BYTES_MAX = 16 * MIB;

/** What a body may add around its value: member names, white space and the time to live. */
export const BODY_OVERHEAD_BYTES_MAX = 64 * KIB;

/** Deepest nesting of arrays and objects in a body; checked before anything parses it. */
export const NESTING_MAX = 512;

/** Text that is checked or searched in one piece, in about 0.1 ms; longer text in pieces, others between. */
export const SMALL_TEXT_BYTES_MAX = 64 * KIB;

/** How often work on a value begins anew because the value was changed meanwhile. */
export const RESTARTS_MAX = 16;

/** Work of one kind that waits for its share of the loop's time; past it new work is refused. */
export const LONG_WORK_MAX = 1024;

/**
 * Memory for bodies that come in more than one read, all clients together; past it they are refused. It is
 * taken as they arrive, not as they are announced, and until they are answered.
 */
export const BODIES_IN_FLIGHT_BYTES_MAX = 192 * MIB;

/** What large bodies leave of it to small ones, which have up to {@link SMALL_BODY_BYTES_MAX} bytes. */
export const SMALL_BODIES_BYTES_MIN = 64 * MIB;
export const SMALL_BODY_BYTES_MAX = 64 * KIB;

/**
 * What is read in one turn of the event loop of bodies that arrive in more than one read, and how many of
 * those that wait for it read on then: about a millisecond for all of them together.
 */
export const BODY_PACE = { bytesPerTurn: 512 * KIB, usersPerTurn: 2 };

/** What is written in one turn of answers that do not fit a string, 64 KiB at a time. */
export const ANSWER_PACE = { bytesPerTurn: 512 * KIB, usersPerTurn: 8 };

/** What a client must send of a body in a second, on average, once its headers' time is over. */
export const BODY_BYTES_PER_SECOND_MIN = KIB;

/** What is read of a body that nobody wants, so that the connection can go on; past it, it is closed. */
export const DRAIN_BYTES_MAX = 16 * MIB;

/** What chunks may take on the wire beside the body in them: so much, and so much a byte of it. */
export const CHUNKS_OVERHEAD_BYTES_MAX = 16 * KIB;
export const CHUNKS_OVERHEAD_PER_BYTE_MAX = 16;

/**
 * Answers that their clients have not read, all together; past it the client that has read nothing for
 * longest is cut off.
 */
export const UNREAD_BYTES_MAX = 128 * MIB;

/**
 * Request line and headers together. The longest key takes three times its bytes when it is
 * percent-encoded, and a listing's cursor carries a key.
 */
export const HEADER_BYTES_MAX = 32 * KIB;

/** Headers of a request. */
export const HEADER_FIELDS_MAX = 4096;

/**
 * A request that has waited for so long in a turn of the event loop is late. When requests were late for
 * longer than a stall, without a lull in which none was, those that are late are refused, until none was
 * late for the time of a relief: refusing makes lulls.
 */
export const LATE_MS = 20;
export const STALL_MAX_MS = 200;
export const LULL_MS = 100;
export const RELIEF_MS = 5000;

/**
 * How many are refused for each that is served, however late they are, after the first of them: to refuse
 * costs a quarter of what it costs to serve, and should not take the place of it.
 */
export const REFUSED_PER_SERVED_MAX = 10;
export const REFUSED_AHEAD_MAX = 100_000;

/** What is read of a socket at a time. */
export const READ_BYTES = 64 * KIB;

/** Pipelined requests of one connection that are served before others get their turn. */
export const PIPELINED_REQUESTS_MAX = 64;

/** Where fewer requests of others come between two turns of a connection it waits for itself. */
export const CROWD_REQUESTS_MIN = 4 * PIPELINED_REQUESTS_MAX;

/** Entity tags in one `If-Match` or `If-None-Match`. */
export const ENTITY_TAGS_MAX = 64;

/** A JSON pointer, in characters. */
export const POINTER_CHARS_MAX = 4 * KIB;

/** Operations of a JSON patch. */
export const PATCH_OPERATIONS_MAX = 1024;

/** Members, at all levels, of a merge patch or of an object that a patch tests for. */
export const PATCH_MEMBERS_MAX = 100_000;

/** Digits and signs of a number that is counted with, and of what an increment gives. */
export const NUMBER_CHARS_MAX = 1024;

/** Characters of an item's name. */
export const ITEM_CHARS_MAX = 16 * KIB;

/** Characters of a problem's detail, which names what the client sent; the rest is cut off. */
export const PROBLEM_DETAIL_CHARS_MAX = 16 * KIB;

/** Characters of a tag in a batch: those that this system gives out are far shorter. */
export const ENTITY_TAG_CHARS_MAX = 128;

/** Operations in one batch. */
export const BATCH_OPERATIONS_MAX = 10_000;

/** Bytes of the answer to a batch; loads past it fail. */
export const BATCH_ANSWER_BYTES_MAX = 64 * MIB;

/** Operations of one batch that other members are serving at one time. */
export const BATCH_UNDER_WAY_MAX = 1024;

/** Changes that are remembered for those who watch, and the bytes of their keys. */
export const HISTORY_CHANGES_MAX = 64 * KIB;
export const HISTORY_KEY_BYTES_MAX = 8 * MIB;

/** How long changes of what nobody watches any more are remembered. */
export const HISTORY_LINGER_MS = 60_000;

/** Keys and prefixes for which that is done, in bytes, and what one of them takes beside its name. */
export const IDLE_TOPICS_BYTES_MAX = 16 * MIB;
export const IDLE_TOPIC_BYTES = 512;

/** Keys, and prefixes, that one client watches. */
export const WATCHED_MAX = 16;

/** Clients that watch at one node. */
export const WATCHERS_MAX = 10_000;

/** Clients at one node that watch all members: each has a request under way at each of them. */
export const CLUSTER_WATCHERS_MAX = 4096;

/** How long a member waits for news before it answers another one that there is none. */
export const WATCH_HOLD_MS = 1000;

/** Pause before a member that could not be watched is asked again. */
export const WATCH_RETRY_MS = 500;

/** Changes in one answer to another member, in bytes; the last of them may pass it. */
export const WATCH_PAGE_BYTES_MAX = 32 * KIB;

/** Changes at other members that wait for slow clients, in bytes; past it no more are asked for. */
export const WATCH_HELD_BYTES_MAX = 64 * MIB;

/** How often those who watch hear something, so that their position advances. */
export const WATCH_PING_MS = 15_000;

/** Time after which a client that does not read what it watches is let go. */
export const WATCH_STUCK_MS = 60_000;

/** Longest wait for news in one request. */
export const WATCH_WAIT_MAX_MS = 60_000;

/** Open client connections; past it new ones are closed at once. */
export const CONNECTIONS_MAX = 16_384;

/** Time in which the headers of a request must have arrived. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** Time in which a whole request must have arrived. */
export const REQUEST_TIMEOUT_MS = 60_000;

/** Time without progress, reading or writing, after which a connection is closed. */
export const IDLE_TIMEOUT_MS = 75_000;

/**
 * Time without a byte of its answer after which a client that has ended its side counts as gone: more
 * than a watch that sees nothing is silent.
 */
export const ENDED_TIMEOUT_MS = 20_000;

/** Time that a client gets to read why its connection is being closed. */
export const LINGER_MS = 1000;

/** Time in which a client of a closing node learns of it by the answer to its next request. */
export const CLOSE_GRACE_MS = 1000;

/** Time that a closing node gives to what it is still answering; containers are killed after 10 s. */
export const CLOSE_TIMEOUT_MS = 7000;

/** Tokens in the file of `-auth-file`, and the characters of the name of one. */
export const TOKENS_MAX = 1024;
export const TOKEN_NAME_CHARS_MAX = 64;

/** Bytes of the log that nobody has read yet; past it lines are dropped. */
export const LOG_UNREAD_BYTES_MAX = MIB;

/** Characters of the id of a request, as a client or a proxy may give it. */
export const REQUEST_ID_CHARS_MAX = 128;

/** Characters of a trace and its span, with a dash between. */
export const TRACE_CHARS = 32 + 1 + 16;

/** Characters of a request target, or of a key, that a line of the log shows. */
export const LOGGED_TARGET_CHARS_MAX = 512;

/** Large values that are gone and still being read; past it whoever reads the oldest is cut off. */
export const LENT_BYTES_MAX = 64 * MIB;

/** Keys in one page of a listing. */
export const PAGE_KEYS_MAX = 10_000;

/** Keys in one page, in bytes; with their marks and escapes a page takes up to six times as many. */
export const PAGE_KEY_BYTES_MAX = MIB;

/** Partitions of a key space: two bytes name one. */
export const PARTITIONS_MAX = 65_536;

/** Largest bound on memory: with a share of garbage beside it, it must fit what addresses reach. */
export const MAX_MEMORY_BYTES_MAX = 27 * 1024 * MIB;

/** Segments of memory that 32-bit addresses reach: 32 GiB of records that share them. */
export const ADDRESSABLE_SEGMENTS = 8192;

/** What a failure says of itself; longer texts are cut. */
export const DETAIL_CHARS_MAX = 1024;

/** Members of a cluster: each has a link to each. */
export const MEMBERS_MAX = 256;

/** An address as text: a host name of the longest kind and a port. */
export const ADDRESS_CHARS_MAX = 262;

/** A control message between peers: a few lists of the longest addresses of all members fit. */
export const CONTROL_BYTES_MAX = 1 * MIB;

/** A frame between peers: the largest value, the longest key, and what stands around them. */
export const FRAME_BYTES_MAX = VALUE_BYTES_MAX + 64 * KIB;

/** What a peer says when it refuses another. */
export const REFUSAL_BYTES_MAX = 4 * KIB;

/** A longer frame travels in parts of this size, and small ones go between them. */
export const PART_BYTES_MAX = 64 * KIB;

/** Large frames that are sent on a channel at the same time, part by part in turn. */
export const LARGE_FRAMES_AT_ONCE = 4;

/** Bytes that are handed to the system for a peer at one time: what a small frame may have to wait for. */
export const PEER_WINDOW_BYTES = 256 * KIB;

/** Large frames on their way in, from all peers together; past it their requests fail. */
export const PEER_INCOMING_BYTES_MAX = 256 * MIB;

/** Large frames on their way out, to all peers together; past it new requests fail, or wait there. */
export const PEER_OUTGOING_BYTES_MAX = 256 * MIB;

/** Frames that have not come whole, of all together who have not said hello. */
export const STRANGERS_BYTES_MAX = 4 * MIB;

/** Channels that one address may have open here; past it the oldest is closed. */
export const SESSIONS_PER_PEER_MAX = 8;

/** Longest time for which a node that stops may hand over its keys first. */
export const LEAVE_WAIT_MAX_MS = 86_400_000;

/** The least that records which move from this node may take, in bytes a second. */
export const MIGRATION_BYTES_PER_SECOND_MIN = 64 * KIB;

/**
 * Bytes of copies that a stream of records has under way before all of them are applied. A write that is
 * mirrored waits behind them, and behind those of all other old owners.
 */
export const STREAM_ROUND_BYTES_MAX = 64 * KIB;

/** The first rounds are small, and those after one that took long: programs and machines have to warm up. */
export const STREAM_ROUND_BYTES_MIN = 2 * KIB;

/** Longest rest after such a round, and while what has moved away is dropped. */
export const STREAM_REST_MAX_MS = 100;

/** Bytes of copies and mirrors that a receiver has not applied; past it the stream is given up. */
export const STREAM_UNAPPLIED_BYTES_MAX = 64 * MIB;

/** What a sender says between records. */
export const STREAM_MARK_BYTES_MAX = 16 * KIB;

/** Open connections on the peer port, those that have not said hello included. */
export const PEER_CONNECTIONS_MAX = 4 * MEMBERS_MAX;

/** Requests that wait for an answer of one peer; past it new ones fail at once. */
export const PEER_REQUESTS_MAX = 16_384;

/** Bytes of large requests that wait to be sent to one peer; past it new ones fail at once. */
export const PEER_UNSENT_BYTES_MAX = 64 * MIB;

/** Bytes of all others that wait to be sent there; past it new ones fail at once. */
export const PEER_UNSENT_SMALL_BYTES_MAX = 16 * MIB;

/** Small answers that a peer has not read; past it no more of its requests are read. */
export const PEER_UNREAD_BYTES_MAX = 4 * MIB;

/** Time after which a member answers a page of keys with what it has found, and where it goes on. */
export const PAGE_TIME_MS = 250;

/** Keys, with their lengths, in one page of a listing between peers. */
export const PEER_PAGE_BYTES_MAX = 64 * KIB;

/** How often each side of a peer connection shows that it lives; time on a connection counts in beats. */
export const BEAT_MS = 250;

/**
 * Beats without a byte after which a peer counts as dead: about 5 s. One that is merely busy gets to
 * its timers and sockets far more often.
 */
export const SILENT_BEATS_MAX = 20;

/** Beats after which somebody who has dialled this node is closed who has said nothing at all: 1 s. */
export const MUTE_BEATS_MAX = 4;

/** Beats in which somebody who has dialled this node must have said hello: 2 s. */
export const HELLO_BEATS_MAX = 8;

/**
 * Beats in which a peer that was dialled must have: 10 s, and no silence longer than that of a link that
 * is up. One so busy that it just keeps its links can then make one, too.
 */
export const DIALLED_HELLO_BEATS_MAX = 40;

/** Beats in which a frame, once begun, must have come whole: 10 s; a longer one is in parts. */
export const FRAME_BEATS_MAX = 40;

/** Beats without any progress of a peer after which the requests that wait for it are given up: 2 s. */
export const REQUEST_BEATS_MAX = 8;

/** Beats after which a request is given up though its peer gets on with others: 15 s. */
export const REQUEST_BEATS_LONGEST = 60;

/** Time in which somebody on the peer port must have begun the handshake of TLS. */
export const MUTE_TIMEOUT_MS = 1000;

/** Time that a node which stops gives its peers to get their last answers. */
export const PEER_FINISH_TIMEOUT_MS = 1000;

/** Names that are looked up at one time: the system has four threads for it and for files. */
export const LOOKUPS_AT_ONCE = 3;

/** How long a name that was found before is looked up before what was found then will do. */
export const LOOKUP_PATIENCE_MS = 250;

/** Names whose addresses are remembered: those of all members, and as many again. */
export const NAMES_MAX = 2 * MEMBERS_MAX;

/** Time in which a connection to a peer must be made, TLS aside. */
export const DIAL_TIMEOUT_MS = 1000;

/**
 * Time in which TLS must then be agreed on: no less than the silence of a link that is up. One so busy that
 * it just keeps its links can then make one, too.
 */
export const DIALLED_TLS_TIMEOUT_MS = SILENT_BEATS_MAX * BEAT_MS;

/** Time in which a name of `-join` must be found. */
export const LOOKUP_TIMEOUT_MS = 1000;

/** Longest pause before a peer that was lost is dialled again. */
export const REDIAL_MAX_MS = 500;

/** Longest wait between two attempts to reach a first node of `-join`. */
export const JOIN_WAIT_MAX_MS = 30_000;

/** Lives of peers that are remembered as over. */
export const OVER_LIVES_MAX = 64;

/** Time in which a new owner must confirm a write that is mirrored to it, or the handover is given up. */
export const MIRROR_WAIT_MS = 1000;

/** Time for which a request may wait for a key that is on its way from one member to another. */
export const MOVE_WAIT_MS = 2000;

/** The same at the member that a peer has sent it to: less than the peer waits for an answer. */
export const MOVE_WAIT_HERE_MS = 1500;

/** Pause before a request is sent again, when the member that got it was not the owner. */
export const NOT_MINE_PAUSE_MS = 20;

/** Longest time for which a request for the topology may wait until that changes. */
export const TOPOLOGY_WAIT_MAX_MS = 60_000;

/** How often a member looks for what is to be planned, and for what has come to a standstill. */
export const HANDOVER_TICK_MS = 250;

/** Time without progress after which a handover is given up by whoever can. */
export const HANDOVER_STUCK_MS = 10_000;

/** Longest pause after a handover that was given up. */
export const HANDOVER_PAUSE_MAX_MS = 5000;

/** Records that are copied between two looks at who else has something to do. */
export const COPIES_PER_SHARE = 16;

/** Time in which a TLS handshake must be done. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Time in which a connection to a server of the engine `valkey` must be made. */
export const VALKEY_CONNECT_TIMEOUT_MS = 1000;

/** Time that such a server gets to close a connection from its side. */
export const VALKEY_HANG_UP_TIMEOUT_MS = 100;

/** Time without a sign of life, while an answer is due, after which such a server counts as dead; in steps. */
export const VALKEY_SILENCE_MAX_MS = 2000;
export const VALKEY_SILENCE_STEP_MS = 250;

/** What is written to such a server at a time: that one was taken by it is a sign of life. */
export const VALKEY_PIECE_BYTES = 128 * 1024;

/** Time after which a request to such a server is given up: 16 MiB in it take a link of 14 Mbit/s. */
export const VALKEY_REQUEST_TIMEOUT_MS = 10_000;

/** Longest pause before such a server that was lost is dialled again. */
export const VALKEY_REDIAL_MAX_MS = 500;

/** How often one request may be sent on to another server of the engine `valkey`. */
export const VALKEY_HOPS_MAX = 5;

/** How often the map of slots is read: while all is well, and while a primary is missing. */
export const VALKEY_REFRESH_MS = 1000;
export const VALKEY_REFRESH_SOON_MS = 100;

/** Servers that are asked for the map at a time, and how long they get. */
export const VALKEY_REFRESH_SERVERS_MAX = 3;
export const VALKEY_REFRESH_TIMEOUT_MS = 500;

/** How long a write with `replicas` waits for them. */
export const VALKEY_WAIT_MS = 1000;

/** Replicas that a write may ask for. */
export const REPLICAS_MAX = 16;

/** How long a change that is computed here goes on, while others change the same record. */
export const VALKEY_EDIT_PATIENCE_MS = 5000;

/** Longest `-valkey-prefix`, in bytes. */
export const VALKEY_PREFIX_BYTES_MAX = 256;

/** Time in which a first server of `-valkey-addr` must have been reached. */
export const VALKEY_START_TIMEOUT_MS = 30_000;

/** Keys that one step of a listing reads at a server, unless a single slot has more. */
export const VALKEY_STEP_KEYS = 1000;

/** Room for the keys of a single server that a list sorts at a time. */
export const VALKEY_SORTED_BYTES_MAX = 32 * 1024 * 1024;

/** How long a listing waits for a slot to be served again. */
export const VALKEY_LIST_PATIENCE_MS = 5000;

/** What LevelDB keeps in memory before it writes a table: fewer, larger ones cost less. */
export const LEVELDB_WRITE_BUFFER_BYTES = 16 * MIB;

/** How long a change that nobody waits for may wait for others to be written to disk together. */
export const JOURNAL_DELAY_MS = 10;

/** Changes that are handed to LevelDB at a time: some 1 ms of work. */
export const JOURNAL_PIECE_OPERATIONS = 1000;

/** Bytes of changes that wait to be written to disk; past it answers wait, too. */
export const JOURNAL_UNWRITTEN_BYTES_MAX = 16 * MIB;

/** Pause before a disk that has failed is tried again. */
export const DISK_RETRY_MS = 1000;

/** With less room than this a disk that fails counts as full. */
export const DISK_ROOM_BYTES_MIN = 16 * MIB;

/** Bytes of a snapshot that are read at a time. */
export const SNAPSHOT_PIECE_BYTES = 256 * KIB;

/** Snapshots that a node may keep. */
export const SNAPSHOTS_MAX = 1000;

/** How often a record of a snapshot is offered to an owner that cannot take it just now. */
export const RESTORE_ATTEMPTS_MAX = 60;

/** The longest time to live: what a signed 64-bit number of nanoseconds holds, as in Go. */
export const TTL_NS_MAX = 2n ** 63n - 1n;

/** Members of a body that are decoded have at most so many bytes, but for an item. */
export const MEMBER_BYTES_MAX = 512;

/**
 * Text of an answer of unknown length that is gathered before it is written; about what a client that
 * does not read costs.
 */
export const ANSWER_CHUNK_CHARS = 64 * KIB;

/** Bytes of the members' secret, at least: as many as the key that is derived from it. */
export const SECRET_BYTES_MIN = 32;

/** The largest file that is read as a secret. */
export const SECRET_BYTES_MAX = 64 * KIB;

/** The highest epoch: four bytes hold it. */
export const EPOCH_MAX = 2 ** 32 - 1;

/** Why a change of members was given up, as members tell each other. */
export const REASON_CHARS_MAX = 1024;

/** What is said again in the log after this time is a reminder, and worth a line. */
export const NEWS_REMINDER_MS = 10_000;

/** Lines of one kind in that time, whatever they are about: a stranger may have many addresses. */
export const NEWS_LINES_MAX = 20;

/** Things said that are remembered; whoever dials from ever new addresses makes no memory grow. */
export const NEWS_REMEMBERED_MAX = 1024;
