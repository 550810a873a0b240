//go:build !muster_previous && !muster_next

package heartbeat

// The lowest and the highest version of the heartbeat that this agent speaks. The lowest is raised when no release that a rolling upgrade can
// start from needs it. For tests of rolling upgrades the build tags muster_previous and muster_next make agents of other generations.
const (
	oldest = VersionBase
	newest = VersionSections
)
