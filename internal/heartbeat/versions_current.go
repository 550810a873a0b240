//go:build !muster_previous

package heartbeat

// newest is the highest version of the heartbeat that this agent speaks. The build tag muster_previous makes an agent that does not
// speak it yet: what tests of a rolling upgrade start from.
const newest = VersionSections
