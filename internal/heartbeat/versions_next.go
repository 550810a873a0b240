//go:build muster_next

package heartbeat

// An agent of the generation after has forgotten the base.
const (
	oldest = VersionSections
	newest = VersionSections
)
