# SPDX-License-Identifier: Apache-2.0
"""What a user's Lua hook can do, and how sluiced survives a hook that
misbehaves."""
import pytest

from harness.config import (LUA, file_output, json_filter, lua_filter,
                            service, syslog_input, template)
from harness.gate import Gate
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until

AT = 1795219198  # Nov 20 23:59:58 2026 UTC


def run_hook(room, start, source, *messages, text="{n} {v}"):
    """Start sluiced with this hook and send the messages.  Returns the
    metrics.  Only the limits of CPU time and memory stop the hook, because on
    a busy machine Hook_Timeout would come first."""
    daemon = start(service("Hook_Timeout 0", flush="0.02")
                   + syslog_input(room) + json_filter()
                   + lua_filter(room, source) + template(text, room))
    with Sender(room.socket) as sender:
        for message in messages:
            sender.send(datagram(message))
    return daemon.wait_for_messages(len(messages))


def test_a_hook_reads_and_assigns_the_record(room, out, start):
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            record["v"] = tag .. ":" .. record.n .. ":" .. record["status"]
            record.status = nil
            return 1, timestamp, record
        end""", {"n": 1, "status": "200"}, text="{n} {v} {status}")
    assert out.lines() == [b"1 in:1:200 {status}"]


@pytest.mark.parametrize("code, line", [
    (0, b"1 {v}"), (1, b"1 new"), (2, b"1 new")])
def test_return_code_0_keeps_the_record_and_codes_1_and_2_replace_it(
        room, out, start, code, line):
    counts = run_hook(room, start, f"""
        function hook(tag, timestamp, record)
            record.v = "new"
            return {code}, timestamp, record
        end""", {"n": 1})
    assert out.lines() == [line] and counts.written == 1


def test_code_1_replaces_the_time_and_code_2_keeps_it(room, out, start):
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            return record.n, 123.5, record
        end""", {"n": 1}, {"n": 2}, text="{n} {time}")
    first, second = out.lines()
    assert first == b"1 123.500000"
    assert second.startswith(b"2 1") and second != b"2 123.500000"


def test_a_dropped_record_is_counted_as_filtered(room, out, start):
    counts = run_hook(room, start, """
        function hook(tag, timestamp, record)
            return record.n % 2 == 0 and -1 or 0, timestamp, record
        end""", *({"n": n} for n in range(10)), text="{n}")
    assert out.lines() == [b"1", b"3", b"5", b"7", b"9"]
    assert counts.written == 5
    assert counts.dropped("filtered") == counts.dropped() == 5
    assert counts.sum("sluiced_filter_dropped_total", filter="lua.1") == 5


def test_a_returned_array_becomes_one_line_for_each_record(room, out, start):
    counts = run_hook(room, start, """
        function hook(tag, timestamp, record)
            return 1, timestamp, {{n=1, v="a"}, {n=2, v="b"}, {n=3, v="c"}}
        end""", {"n": 0}, text="{n} {v}")
    assert out.lines() == [b"1 a", b"2 b", b"3 c"]
    assert counts.received == counts.written == 1
    assert counts.sum("sluiced_output_lines_written_total",
                      output="file.0") == 3


@pytest.mark.skipif(SAN != "", reason="a sanitizer uses more memory")
def test_many_lines_of_a_message_cost_bounded_memory(room, start):
    """A batch also ends when its lines fill a certain amount of memory."""
    daemon = start(service(flush="1") + syslog_input(room) + json_filter()
                   + lua_filter(room, """
                       function hook(tag, timestamp, record)
                           local lines = {}
                           for i = 1, 100 do
                               lines[i] = {s = string.rep("x", 1000)}
                           end
                           return 1, timestamp, lines
                       end""")
                   + template("{s}", room))
    with Sender(room.socket) as sender:
        for n in range(2000):
            sender.send(datagram({"n": n}))
    daemon.wait_for_messages(2000)
    status = open(f"/proc/{daemon.worker()}/status").read()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    assert peak_kib < 32 * 1024, status


def test_the_record_behaves_like_a_table(room, out, start):
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            local keys = {}
            for key, value in pairs(record) do
                keys[#keys + 1] = key .. "=" .. tostring(value)
            end
            table.sort(keys)
            local copy = { v = type(record) .. " " .. table.concat(keys, ",") }
            copy.n = next(record) ~= nil
            return 1, timestamp, copy
        end""", b'{"a":"x","b":2,"c":true,"d":null}')
    line = out.lines()[0]
    assert line.startswith(b"true table ")
    assert b" a=x,b=2,c=true,host=gw-1,ident=nginx,message={" in line
    assert b"d=" not in line.split(b"message")[0]


def test_a_hook_reads_and_assigns_nested_values(room, out, start):
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            record.v = { deep = record.a.b[2], list = { 1, "two" } }
            return 2, timestamp, record
        end""", {"n": 1, "a": {"b": [10, "twenty"]}}, text="{v} {a}")
    line = out.lines()[0]
    assert b'"deep"=>"twenty"' in line and b'"list"=>[1, "two"]' in line
    assert line.endswith(b'{"b"=>[10, "twenty"]}')


def test_globals_keep_their_values_between_records(room, out, start):
    run_hook(room, start, """
        count = 0
        function hook(tag, timestamp, record)
            count = count + 1
            record.v = count
            return 1, timestamp, record
        end""", *({"n": n} for n in range(3)))
    assert out.lines() == [b"0 1", b"1 2", b"2 3"]


# Idioms of Lua 5.1, which hooks use because Fluent Bit runs them in LuaJIT.
IDIOMS = {
    "a fractional time": ('os.date("%Y", timestamp + 0.5) >= "2026"', b"true"),
    "table.getn": ("table.getn({1, 2, 3})", b"3"),
    "unpack": ("select(2, unpack({1, 2}))", b"2"),
    "math.pow": ("math.pow(2, 10)", b"1024"),
    "loadstring": ('loadstring("return 7")()', b"7"),
    "an integral number": ("10 / 2", b"5"),
    "an integral text": ('"n" .. 10 / 2 .. 1.0', b"n51"),
    "string.format": ('string.format("%d|%u", 1.5, 3)', b"1|3"),
    "table.foreach": (
        "table.foreach({k = 1}, function(k, v) return k .. v end)", b"k1"),
    "bit": ("bit.band(255, bit.lshift(3, 2))", b"12"),
    "a nearly whole number": ('1.005 * 1000 .. "ms"', b"1005ms"),
    "a share in a path": ('"/log/" .. 0.57 * 100', b"/log/57"),
    "captured texts as bounds": (
        "(function(s) for i = ('1 3'):match('%d'), ('1 3'):match('%d$') do "
        "s = s .. i .. ',' end return s end)('')", b"1,2,3,"),
    "%q of a number": ("""(string.format('%q', 404):gsub('"', "'"))""",
                       b"'404'"),
    "a width, and NUL": ("#string.format('%.5s', '\\22\\3\\1\\0abc')",
                         b"5"),
    "tonumber with base 10": ('tostring(tonumber("1.5", 10))', b"1.5"),
    "string.gsub": ('(string.gsub("a-b", "-", "%-"))', b"a-b"),
    "setfenv": ("setfenv(function() return x end, {x = 5})()", b"5"),
}


@pytest.mark.parametrize("name", IDIOMS)
def test_idioms_of_lua_5_1_work(room, out, start, name):
    expression, value = IDIOMS[name]
    counts = run_hook(room, start, f"""
        function hook(tag, timestamp, record)
            record.v = {expression}
            return 1, timestamp, record
        end""", {"n": 1})
    assert out.lines() == [b"1 " + value]
    assert counts.failures() == 0


def test_a_map_that_a_hook_reads_keeps_its_order(room, out, start):
    request = {"uri": "/", "method": "GET", "args": "x=1"}
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            record.v = record.req.method
            return 2, timestamp, record
        end""", {"n": 1, "req": request}, text="{v} {req}")
    assert out.lines() == [b'GET {"uri"=>"/", "method"=>"GET", "args"=>"x=1"}']


def test_a_missing_time_leaves_the_time_and_is_counted(room, out, start):
    counts = run_hook(room, start, """
        function hook(tag, timestamp, record)
            record.v = timestamp
            return 1, record.missing, record
        end""", {"n": 1}, text="{n} {v} {time}")
    _, given, written = out.lines()[0].split()
    assert float(given) == float(written)
    assert counts.failures("bad_time", filter="lua.1") == 1


def test_a_request_cannot_make_a_pattern_endless(room, out, start):
    counts = run_hook(room, start, r"""
        function hook(tag, timestamp, record)
            record.v = "good"
            local a = record.url:match("(.-)/(.-)/(.-)/index%.html$")
            return 1, timestamp, record
        end""", {"n": 1, "url": "/" * 7000}, {"n": 2, "url": "/a"})
    assert out.lines() == [b"1 {v}", b"2 good"]
    assert counts.failures("time_limit", filter="lua.1") == 1


def test_print_in_a_hook_writes_to_the_log(room, start):
    daemon = start(service() + syslog_input(room) + json_filter()
                   + lua_filter(room, """
                       function hook(tag, timestamp, record)
                           print("hello from the hook")
                           return 0, timestamp, record
                       end""") + file_output(room))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    daemon.wait_for_messages(1)
    daemon.stop()
    assert "hello from the hook" in daemon.log()


# Each hook misbehaves for n == 1 and works for other records.  name: the
# misdeed, and the reason under which sluiced counts the failure.
MISBEHAVING = {
    "raises": ('error("on purpose")', "error"),
    "calls nothing": ("local x = nil; x.y = 1", "error"),
    "never ends": ("while true do end", "time_limit"),
    "catches everything and never ends": (
        "while true do pcall(function() while true do end end) end",
        "time_limit"),
    "takes its limit away": (
        "coroutine.wrap(function() debug.sethook() "
        "while true do end end)()", "error"),
    "takes all memory": (
        # In few and cheap steps: the limit of CPU time must not come first,
        # however slow the machine or the build is.
        'local piece, t = string.rep("x", 1000), {}; '
        'while true do t[#t + 1] = string.rep(piece, 4000 + #t) end',
        "memory_limit"),
    "takes all memory at once": (
        'local s = string.rep("x", 2000000000)', "memory_limit"),
    "recurses forever": (
        "local function f() return 1 + f() end f()", "memory_limit"),
    # As in Fluent Bit, no code means code 0: the record stays as it was.
    "returns nothing": ("return", None),
    "returns nonsense": ('return 1, "when", "what"', "invalid_result"),
    "returns a strange code": ("return 17, timestamp, record", "bad_code"),
    "returns a function": ("return 1, timestamp, {v = print}",
                           "invalid_result"),
    "returns a loop": ("local t = {}; t.t = t; return 1, timestamp, t",
                       "invalid_result"),
    "kills the process": ("os.exit(1)", "error"),
}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_misbehaving_hook_loses_no_line(room, out, start, name):
    misdeed, reason = MISBEHAVING[name]
    counts = run_hook(room, start, f"""
        function hook(tag, timestamp, record)
            if record.n == 1 then {misdeed} end
            record.v = "good"
            return 1, timestamp, record
        end""", {"n": 1}, {"n": 2})
    assert counts.received == counts.written == 2
    assert out.lines() == [b"1 {v}", b"2 good"]
    failed = 0 if reason is None else 1
    assert counts.failures(reason, filter="lua.1") == failed
    assert counts.failures() == failed


def test_a_hook_can_use_os_and_io(room, out, start):
    """The scripts belong to the operator, as in Fluent Bit."""
    run_hook(room, start, """
        function hook(tag, timestamp, record)
            record.v = type(os.time()) .. type(io.open)
            return 1, timestamp, record
        end""", {"n": 1})
    assert out.lines() == [b"1 numberfunction"]


def test_a_script_that_keeps_all_its_memory_is_loaded_again(
        room, out, start):
    """Its variables start again, and no message is lost."""
    daemon = start(service("Hook_Timeout 0", flush="0.02")
                   + syslog_input(room) + json_filter()
                   + lua_filter(room, """
                       kept = {}
                       function hook(tag, timestamp, record)
                           kept[#kept + 1] = string.rep("x", 8000000)
                           record.v = #kept
                           return 1, timestamp, record
                       end""") + template("{n} {v}", room))
    with Sender(room.socket) as sender:
        sent = 0
        while daemon.metrics().sum("sluiced_filter_script_loads_total",
                                   filter="lua.1") < 3:
            sender.send(datagram({"n": sent}))
            sent += 1
            daemon.wait_for_messages(sent)
    counts = daemon.metrics()
    lines = out.lines()
    assert counts.written == len(lines) == sent
    assert counts.failures("memory_limit", filter="lua.1") >= 3
    assert sum(line.endswith(b" 1") for line in lines) >= 3
    daemon.stop()
    assert "the script keeps" in daemon.log()
    assert "loading the script again" in daemon.log()


def test_the_date_hook_of_this_repository_works(room, out, start):
    source = (LUA / "create-log-file-path.lua").read_text()
    room.write("date.lua", source)
    daemon = start(
        service() + syslog_input(room) + json_filter()
        + "[FILTER]\n    Name lua\n    Match in\n    script date.lua\n"
          "    call create_log_file_path\n"
        + template("{n} {time} {log_file_path}", room))
    with Sender(room.socket) as sender:
        sender.send(*(b"<190>1 " + when + b" h nginx - - - " + b'{"n":%d}' % n
                      for n, when in enumerate((
                          b"2026-11-20T23:59:58.75Z", b"2026-11-21T00:00:00Z",
                          b"2026-11-20T23:59:59Z"))))
    daemon.wait_for_messages(3)
    name = b"/istio-ingressgateway-access.log"
    assert out.lines() == [
        b"0 %d.750000 2026-1120" % AT + name,
        b"1 %d.000000 2026-1121" % (AT + 2) + name,
        b"2 %d.000000 2026-1120" % (AT + 1) + name]


def test_a_slow_hook_does_not_delay_lines_until_all_are_processed(
        room, out, start):
    """The last call finds lines of earlier calls in the file already."""
    count = 400
    daemon = start(
        service(flush="1") + syslog_input(room) + json_filter()
        + lua_filter(room, f"""
            function hook(tag, timestamp, record)
                local start = os.clock()
                repeat until os.clock() - start > 0.005
                if record.n == {count - 1} then
                    record.found = io.open("{room.out}/lines.log") ~= nil
                end
                return 1, timestamp, record
            end""")
        + template("{n} {found}", room))
    with Sender(room.socket) as sender:
        for n in range(count):
            sender.send(datagram({"n": n}))
    daemon.wait_for_messages(count)
    assert out.lines()[-1] == f"{count - 1} true".encode()


def test_lines_of_a_slow_hook_do_not_wait_for_a_full_batch(room, out, start):
    """Each message takes at least 30 ms, and a batch half a second."""
    gate = Gate(room)
    daemon = start(service("Hook_Timeout 0") + syslog_input(room)
                   + json_filter() + lua_filter(room, f"""
        function hook(tag, timestamp, record)
            if record.n == 0 then {gate.lua} end
            local stop = os.clock() + 0.03
            while os.clock() < stop do end
            return 0, timestamp, record
        end""") + template("{n}", room))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        gate.wait()
        sender.send(*(datagram({"n": n}) for n in range(1, 160)))
    wait_until(lambda: daemon.metrics().received == 160, "the messages")
    gate.open()
    counts = daemon.wait_for_messages(160)
    assert counts.sum("sluiced_pipeline_batches_total") > 4
    assert out.lines() == [b"%d" % n for n in range(160)]
