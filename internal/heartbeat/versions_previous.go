//go:build muster_previous

package heartbeat

// newest is the highest version that an agent of the previous generation speaks.
const newest = VersionBase
