"""Records that a person had erased: any state -> dead, for good. What of a shared answer stays, and
why none of them is asked again.
"""
