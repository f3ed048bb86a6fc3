"""Two stages in processes of their own: those that seal events into bars, and those that make signals of the bars.

Many processes of one consumer group seal, each the partitions that the group gives it; what they seal goes to a topic
of bars. Any number of processes read that topic whole, and evaluate the same signals from it. Where one process is
enough, none of this is needed: `monitor.pipeline` seals and evaluates.
"""
