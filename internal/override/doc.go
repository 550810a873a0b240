// Package override is the table of what can be set of networks by hand on all hosts at once, by our names and by those of Windows Server
// 2003's private properties, and how such settings lie over the configuration file.
//
// Usage: Parse reads what an administrator types; Check judges it against what is in effect; Key is where the common values (package
// register) have it; Apply lays what they have over the file:
//
//	change, err := override.Parse(override.Network, "MulticastDisabled=1:DWORD")
//	err = values.Check(changes, file)
//	err = registers.Set(override.Key("lan", change.Parameter), change.Value)
//	settings = override.Apply(file, network, cluster) // on every host
//
// List says what is overridden, with the value of the file beside it. An override stays until somebody takes it back, also if
// the file is changed to say the same.
//
// Values are kept in one spelling: true and false, addresses as netip writes them. What a later version has set and this one does not
// know is left alone.
//
// Concurrency: everything is a value.
//
// Failure behaviour: nothing is set that cannot be meant: unknown names, names that only say how things are, and values that the file would not
// be allowed to have are errors with a remedy. Windows took such values, and silently went back to its defaults.
//
// Testing: every parameter by both names; the truth table of disabling with each of its two settings by hand or from the file; Parse
// is fuzzed.
package override
