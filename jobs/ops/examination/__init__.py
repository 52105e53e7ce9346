"""The checks of `./run_job.sh doctor`: each file examines one subject and changes nothing."""
