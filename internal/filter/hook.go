package filter

// Hook names how the programs are attached: "tcx" or "clsact"; empty when they are attached nowhere.
func (f *Filter) Hook() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, a := range f.attached {
		if _, ok := a.(*tcx); ok {
			return "tcx"
		}
		return "clsact"
	}
	return ""
}
