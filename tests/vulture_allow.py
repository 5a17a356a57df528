"""Names that vulture takes for unused and that a framework or a file format uses.

`vulture` reads this file and never runs it (`make lint`). Add a name only with who uses it.
"""

# Python and the libraries: set or called by name.
__getattr__  # the package's lazy names
__dir__
_repr_html_  # notebooks show a result by it
_repr_pretty_  # IPython prints a result by it
__signature__  # Typer reads the options of a verb from it
__annotations__
__spec__  # multiprocessing asks the main module for it
extra_repr  # torch prints a module with it
C  # scikit-learn's strength of regularisation
decodermaxblock  # Pillow's size of one read of a decoder
intra_op_num_threads  # ONNX Runtime's session options
log_severity_level
reducer_override  # pickle asks it how an object is written
_without_zero  # pydantic's serializers of a recipe
_without_unused
SUBSET  # choices of the command line
NONE
uri  # the HTML template of reports
on_broken_pipe  # Rich's console
list_commands  # Typer asks the group of verbs for their names
disconnected  # uvicorn asks a request for it

# The Python API: called by whoever imports the package, and read by scikit-learn.
to_pandas
inspect_batch
decision_function
two_d_array
three_d_array

# Written to JSON and tables by `dataclasses.asdict` or pydantic; documented in the class.
length_mm
phase_m
reviewer_error
corrected
defects_bounds
clean_bounds
width_mm
accuracy_defective_with
accuracy_with_multi_type
file_bytes
file_mtime_ns
file_ctime_ns
file_inode
found_px
one_start
reliable_px
share_above
threshold_by

# Written to the ledger by pydantic; documented in the class.
SHADOW
REPLAY
CONFIRMED
UNSURE
ACCEPT
RE_INSPECT
HOLD
DOWNGRADE
coil
position_m
length_m
across_mm
latency_ms
key_commitment
comment
subject
spooled  # printed by `line --json`
readinto  # io.BufferedReader reads by it
readall
seekable
clock_set_back
should_exit  # ends uvicorn's server

# SQLite's driver and Alembic read them.
isolation_level
autocommit
text_factory
down_revision
renew  # of a writer that waits for sheets

# Of access to the service: used by what serves it.
list_tokens
list_sessions
drop_cookie
DEVICE

# Written to answers of the API by pydantic; documented in the class.
first_m
last_m
sheet_seq
verdict_seq
verdict_writer
image_kept
person_name
comment_erased
station_restarts  # printed by `serve --json`

# Prometheus, uvicorn and pydantic-settings call them.
collect
describe
send_400_response
settings_customise_sources
csrf  # fields of answers
creator
dotenv_settings
file_secret_settings

# Sent in messages, and read from and written to requests about destinations; documented in the classes.
left_out_bytes
username
topic
client_id
created
last_delivered
failing_since
next_attempt
earlier_secret_until
to_pixels  # the inverse of a place on the strip

# http.server and paho call or read them, in the benchmarks of deliveries and of object storage.
close_connection
protocol_version
do_GET
do_POST
do_PUT
do_HEAD
handle_error
log_message
daemon_threads
on_connect
on_message

# html.parser calls it, in the benchmarks of the console.
handle_starttag

# Read by templates of the console.
per_100_m
longest_mm

# The console: read by templates, or by forms that give a value of an enumeration.
MAINTENANCE
KNOWN_CAUSE
TRIAL
map_label
map_box
no_map
map_flag
script_values
actions
started_us
ended_us
other_classes
no_policy
no_shadow
adaptations
engine_before
engine_now
