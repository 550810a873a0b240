//go:build muster_previous

package heartbeat

// An agent of the generation before speaks the base alone.
const (
	oldest = VersionBase
	newest = VersionBase
)
