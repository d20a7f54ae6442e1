"""What writes the documents of this repository; not installed. Run each as ``python -m dev.<name>`` from its root."""
