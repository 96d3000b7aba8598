package app

// CgroupMemory is cgroupMemory for tests.
func CgroupMemory(read func(string) ([]byte, error)) int64 { return cgroupMemory(read) }
