# --- Processes: `drill_folder` has the files of each: NAME.log, NAME.state, NAME.env, and NAME.stopped while it is to stay down.

# The last lines that a process has written: 50, or as many as the second argument says.
logs() (
    [ -e "$drill_folder/$1.log" ] || { echo "$1 has no log here. These have: $(drill_names log)" >&2; exit 1; }
    tail -n "${2:-50}" "$drill_folder/$1.log"
)

# Processes with their state, process id, start and last exit: the named ones, or all.
processes() (
    [ $# -gt 0 ] || set -- $(drill_names state)
    printf '%-20s %-9s %-8s %-25s %s\n' NAME STATE PID SINCE ''
    for name in "$@"; do
        drill_is_known "$name" || exit
        drill_state "$name" | {
            read -r state pid details
            [ "$pid" = - ] || since=$(ps -o lstart= -p "$pid")
            printf '%-20s %-9s %-8s %-25s %s\n' "$name" "$state" "$pid" "${since:--}" "$details"
        }
    done
)

# What takes the disk: their data and logs. A file may be gone before it is counted.
disk_usage() ( { du -xh "$drill_folder/.." 2>/dev/null || true; } | sort -h | tail )

# Starts processes that are down, and waits until they are ready.
start() (
    for name in "$@"; do
        drill_is_known "$name" || exit
        if [ "$name" = postgres ]; then
            drill_is_running postgres || drill_postgres restart --silent --wait || exit
        else
            rm -f "$drill_folder/$name.stopped"
            for _ in $(seq 300); do
                drill_is_running "$name" && continue 2
                [ ! -e "$drill_folder/$name.stopped" ] || break # it has exited too often
                sleep 0.2
            done
            echo "$name does not become ready: see logs $name" >&2
            exit 1
        fi
    done
)

# Stops processes, which then stay down. One that does not exit within 30 seconds is killed.
stop() (
    for name in "$@"; do
        drill_is_known "$name" || exit
        read -r state pid details <<STATE
$(drill_state "$name")
STATE
        [ "$state" != built-in ] || { echo "$name is a part of the program that started the stack" >&2; exit 1; }
        if [ "$name" = postgres ]; then
            drill_postgres stop --silent --wait --mode=fast || exit
        else
            : >"$drill_folder/$name.stopped"
            signal=TERM
            for attempt in $(seq 300); do
                read -r state pid details <"$drill_folder/$name.state"
                [ "$pid" != - ] || continue 2
                [ "$attempt" -lt 150 ] || signal=KILL
                case $attempt in 1 | 150) kill -s "$signal" "$pid" 2>/dev/null ;; esac
                sleep 0.2
            done
            echo "$name does not exit" >&2
            exit 1
        fi
    done
)

# Stops processes and starts them again.
restart() { stop "$@" && start "$@"; }

# Changes settings of a process, and restarts it: configure NAME VARIABLE=VALUE...
configure() (
    drill_is_known "$1" || exit
    printf '%s\n' "${@:2}" >>"$drill_folder/$1.env"
    restart "$1"
)

# Runs a command with the environment of a process: with_environment_of NAME COMMAND...
with_environment_of() (
    drill_is_known "$1" || exit
    { grep '^[A-Za-z_]' "$drill_folder/$1.env" | tr '\n' '\0' && printf '%s\0' "${@:2}"; } |
        xargs -0 env -i PATH="$PATH" HOME="$HOME"
)

drill_names() ( cd "$drill_folder" && ls -- *."$1" | sed "s/[.]$1\$//" | tr '\n' ' ' )

drill_is_known() {
    [ -e "$drill_folder/$1.state" ] || { echo "there is no process $1, but $(drill_names state)" >&2; return 1; }
}

# STATE PID DETAILS
drill_state() (
    if [ "$1" = postgres ]; then
        pid=$(drill_postgres status 2>/dev/null | sed -n 's/.*(PID: \([0-9]*\)).*/\1/p')
        echo "$([ -n "$pid" ] && echo running || echo stopped) ${pid:--}"
    else
        cat "$drill_folder/$1.state"
    fi
)

drill_is_running() (
    read -r state pid details <<STATE
$(drill_state "$1")
STATE
    case $state in running) kill -0 "$pid" 2>/dev/null ;; built-in) ;; *) false ;; esac
)
