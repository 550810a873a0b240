// Package labcmd holds the commands `muster lab` and `muster demo`: flags in, packages lab, web, load and demo called, text out.
//
// Usage: New and NewDemo return commands to be added to the root command. A lab outlives the command that made it, so each command finds the lab by
// its name, or the only one that there is.
//
// Concurrency: a command is run once.
//
// Failure behaviour: a command returns its error; it ends no process.
//
// Testing: the package's tests run the commands as the main program does; those of package lab use them as `muster`.
package labcmd
