// Bench measures the figures of docs/benchmarks.md and writes that page.
//
// Usage: `make bench` measures every row, `make bench BENCH=cut` one, `make bench BENCH="kill gap"` some. `go run ./bench -list`
// says which there are. Each row builds a lab of real agents of bin/muster, does something to it under load and looks at
// what clients and agents saw. A figure is a number of measurements with its median and range, beside what is wanted of
// it. The result of each row is kept in bench/results.json, and the page is made of what is kept there: a row measured
// alone replaces its own part and nothing else. Whatever is compared is measured within a row, and so on one machine, which the page names.
//
// Rivals are started on the same hosts as Muster and get the same faults: corosync as Debian has it, memberlist as a library, which this
// program runs itself when its first argument is `memberlist`. What each of them says about its members is read from its log,
// with the times in it, by one journal for all.
//
// Failure behaviour: a row that cannot be measured keeps its earlier result and fails the run; a figure that misses what is wanted
// is written down as missed and fails the run. Labs are taken down in any case.
//
// Testing: statistics, verdicts, parsing and the page are pure and tested by tables; the rows are tests themselves.
package main
